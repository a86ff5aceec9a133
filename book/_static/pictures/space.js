// Three dimensions on a canvas: rotations, harmonics as polynomials, and surfaces, sticks and balls painted from back to front.
// Axes are those of e3nn: x to the right, y up (the polar axis), z to the reader. A rotation is three rows of three numbers.
"use strict";
equinotes.space = (() => {
  const identity = () => [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  const transpose = A => A[0].map((_, j) => A.map(row => row[j]));
  const times = (A, B) => A.map(row => B[0].map((_, j) => row.reduce((sum, a, k) => sum + a * B[k][j], 0)));
  const apply = (A, [x, y, z]) => A.map(row => row[0] * x + row[1] * y + row[2] * z);

  const about = (axis, angle) => {
    const [c, s] = [Math.cos(angle), Math.sin(angle)], [i, j] = [(axis + 1) % 3, (axis + 2) % 3], R = identity();
    R[i][i] = R[j][j] = c;
    R[i][j] = -s;
    R[j][i] = s;
    return R;
  };

  const CAMERA = times(about(0, 0.32), about(1, -0.5));

  const angleOf = R => Math.acos(Math.min(1, Math.max(-1, (R[0][0] + R[1][1] + R[2][2] - 1) / 2)));

  // Values of the 2l+1 harmonics of one order; `table` is {exponents: [[a, b, c], ...], rows: [2l+1][monomials]}.
  const harmonics = ({ exponents, rows }, [x, y, z]) => {
    const monomials = exponents.map(([a, b, c]) => x ** a * y ** b * z ** c);
    return rows.map(row => row.reduce((sum, factor, k) => sum + factor * monomials[k], 0));
  };

  // The matrix with Y(R r) = D Y(r), by the quadrature [[x, y, z, weight], ...] that is exact for products of two harmonics.
  const wigner = (table, quadrature, R) => {
    const size = table.rows.length, D = Array.from({ length: size }, () => new Array(size).fill(0));
    for (const [x, y, z, weight] of quadrature) {
      const before = harmonics(table, [x, y, z]), after = harmonics(table, apply(R, [x, y, z]));
      for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) D[i][j] += weight * after[i] * before[j];
    }
    return D;
  };

  // Directions that cover the sphere, [polar][around], as figures.harmonics.sphere_grid.
  const grid = (polar = 41, around = 73) => Array.from({ length: polar }, (_, i) => {
    const theta = Math.PI * i / (polar - 1);
    return Array.from({ length: around }, (_, j) => {
      const phi = 2 * Math.PI * j / (around - 1);
      return [Math.sin(theta) * Math.sin(phi), Math.cos(theta), Math.sin(theta) * Math.cos(phi)];
    });
  });

  // A surface at distance |f(r)| in direction r: [polar][around] of [x, y, z, sign].
  const lobes = (f, directions) => directions.map(line => line.map(r => {
    const value = f(r), size = Math.abs(value);
    return [r[0] * size, r[1] * size, r[2] * size, value < 0 ? -1 : 1];
  }));

  const rgb = text => [1, 3, 5].map(k => parseInt(text.slice(k, k + 2), 16));

  // Collects what is to be drawn and paints it from back to front. `scale` is pixels per unit.
  class Scene {
    constructor(g, centre, scale, R = identity()) {
      Object.assign(this, { g, centre, scale, R: times(CAMERA, R), parts: [] });
    }

    place(v) {
      const [x, y, z] = apply(this.R, v);
      return [this.centre[0] + this.scale * x, this.centre[1] - this.scale * y, z];
    }

    surface(points, positive, negative) {
      const placed = points.map(line => line.map(p => [...this.place(p), p[3]]));
      const colours = { 1: rgb(positive), [-1]: rgb(negative) };
      for (let i = 0; i + 1 < placed.length; i++) for (let j = 0; j + 1 < placed[0].length; j++) {
        const [a, b, c, d] = [placed[i][j], placed[i][j + 1], placed[i + 1][j + 1], placed[i + 1][j]];
        const [ux, uy, uz] = [c[0] - a[0], c[1] - a[1], (c[2] - a[2]) * this.scale];
        const [vx, vy, vz] = [d[0] - b[0], d[1] - b[1], (d[2] - b[2]) * this.scale];
        const n = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], size = Math.hypot(...n);
        if (size < 1e-4) continue;
        const light = 0.62 + 0.38 * Math.abs(n[2] * 0.85 - n[0] * 0.3 - n[1] * 0.43) / size;
        const [red, green, blue] = colours[a[3] + b[3] + c[3] + d[3] < 0 ? -1 : 1].map(v => Math.round(v * light));
        this.parts.push({ depth: (a[2] + b[2] + c[2] + d[2]) / 4, quad: [a, b, c, d], colour: `rgb(${red},${green},${blue})` });
      }
    }

    stick(from, to, colour, width = 5, pieces = 8) {
      for (let k = 0; k < pieces; k++) {
        const [a, b] = [k, k + 1].map(t => this.place(from.map((v, i) => v + (to[i] - v) * t / pieces)));
        this.parts.push({ depth: (a[2] + b[2]) / 2, stick: [a, b], colour, width });
      }
    }

    ball(at, colour, radius, ring = null) {
      const p = this.place(at);
      this.parts.push({ depth: p[2] + radius / this.scale * 0.5, ball: p, colour, radius, ring });
    }

    // Text is always in front.
    label(at, text, colour) {
      const [x, y] = this.place(at);
      this.parts.push({ depth: Infinity, text, at: [x, y], colour });
    }

    paint() {
      const { g } = this;
      g.lineCap = "round";
      for (const part of this.parts.sort((a, b) => a.depth - b.depth)) {
        g.fillStyle = g.strokeStyle = part.colour;
        g.beginPath();
        if (part.quad) {
          part.quad.forEach(([x, y], k) => k ? g.lineTo(x, y) : g.moveTo(x, y));
          g.closePath();
          g.fill();
          g.lineWidth = 0.7; // closes the seams between neighbours
          g.stroke();
        } else if (part.stick) {
          g.lineWidth = part.width;
          part.stick.forEach(([x, y], k) => k ? g.lineTo(x, y) : g.moveTo(x, y));
          g.stroke();
        } else if (part.ball) {
          const [x, y] = part.ball;
          const shine = g.createRadialGradient(x - part.radius / 3, y - part.radius / 3, 0, x, y, part.radius);
          shine.addColorStop(0, "#ffffff");
          shine.addColorStop(0.35, part.colour);
          shine.addColorStop(1, part.colour);
          g.fillStyle = shine;
          g.arc(x, y, part.radius, 0, 2 * Math.PI);
          g.fill();
          if (part.ring) Object.assign(g, { strokeStyle: part.ring, lineWidth: 3 }), g.stroke();
        } else {
          g.textAlign = "center";
          g.fillText(part.text, ...part.at);
        }
      }
    }
  }

  // Lets a canvas be turned by dragging, by arrow keys and by buttons; `turned.R` is the rotation of what it shows.
  const turnable = (view, node) => {
    const turned = { R: identity() };
    const screen = Q => { turned.R = times(times(transpose(CAMERA), times(Q, CAMERA)), turned.R); };
    let last = null;
    node.tabIndex = 0;
    node.classList.add("picture-turns");
    node.addEventListener("pointerdown", event => {
      last = [event.clientX, event.clientY];
      node.setPointerCapture(event.pointerId);
    });
    node.addEventListener("pointermove", event => {
      if (!last) return;
      const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
      last = [event.clientX, event.clientY];
      screen(times(about(0, dy / 110), about(1, dx / 110)));
      view.changed();
    });
    for (const name of ["pointerup", "pointercancel"]) node.addEventListener(name, () => { last = null; });
    const keys = { ArrowLeft: [1, -1], ArrowRight: [1, 1], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    node.addEventListener("keydown", event => {
      if (!keys[event.key]) return;
      event.preventDefault();
      screen(about(keys[event.key][0], keys[event.key][1] * Math.PI / 24));
      view.changed();
    });
    ["x", "y", "z"].forEach((name, axis) => view.button(`Turn about ${name}`, () => {
      turned.R = times(about(axis, Math.PI / 12), turned.R);
    }));
    view.button("Start again", () => { turned.R = identity(); });
    return turned;
  };

  return { identity, transpose, times, apply, about, angleOf, harmonics, wigner, grid, lobes, Scene, turnable };
})();
