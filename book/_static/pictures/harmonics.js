// Harmonics that turn: one function Y_lm, and the mixture of its order that it becomes.
"use strict";
equinotes.picture("harmonics", view => {
  const { space, chart, fixed } = equinotes, { data, look } = view, directions = space.grid();
  const lmax = data.orders.length - 1, { element, minus } = equinotes;
  const harmonic = (l, m) => element("span", { class: "picture-symbol" }, "Y", element("sub", {}, minus(`${l},${m}`)));
  let surface, made, D;

  const drawing = view.canvas("The harmonic as a surface, turned as you turned it", {
    ratio: 1.05, least: 250, paint: (g, width, height, colours) => {
      const size = Math.min(width, height) * 0.42, centre = [width / 2, height / 2], fixedAxes = new space.Scene(g, centre, size);
      const scene = new space.Scene(g, centre, size, turned.R);
      ["x", "y", "z"].forEach((axis, k) => {
        const end = [0, 0, 0];
        end[k] = 1;
        fixedAxes.stick([0, 0, 0], end, colours.line, 2);
        fixedAxes.label(end.map(v => 1.09 * v), axis, colours.text);
      });
      scene.surface(surface, look.positive, look.negative);
      scene.parts.push(...fixedAxes.parts);
      scene.paint();
    },
  });

  const table = view.canvas("The matrix D of the rotation, and its column for the harmonic shown", {
    ratio: 1.25, least: 290, paint: (g, width, height, colours) => {
      const l = Number(order.value), m = Number(component.value), size = Math.min(height - 56, width - 118), left = 30, top = 40;
      g.textAlign = "left";
      g.fillText(`The matrix D for l = ${l}`, left, 12);
      const cell = chart.matrix(g, [left, top, size], D, 1, look, colours, { numbers: true });
      g.textAlign = "center";
      for (let k = -l; k <= l; k++) {
        g.fillText(minus(String(k)), left + (k + l + 0.5) * cell, top - 10);
        g.fillText(minus(String(k)), left - 13, top + (k + l + 0.5) * cell);
      }
      Object.assign(g, { strokeStyle: colours.text, lineWidth: 2.5 });
      g.strokeRect(left + (m + l) * cell, top, cell, size);
      const middle = left + size + 50, reach = 36;
      g.fillStyle = colours.text;
      g.fillText("column", middle, top - 10);
      D.forEach((row, k) => {
        const value = row[m + l];
        g.fillStyle = value < 0 ? look.negative : look.positive;
        g.fillRect(Math.min(middle, middle + value * reach), top + (k + 0.2) * cell, Math.max(1, Math.abs(value) * reach), cell * 0.6);
      });
      chart.line(g, [[middle, top], [middle, top + size]], colours.line, 1);
    },
  });
  table.tabIndex = -1;

  const order = view.slider("Order l", { min: 0, max: lmax, value: 2 });
  const component = view.slider("Component m", { min: -2, max: 2, value: 1, show: value => minus(String(value)) });
  const turned = space.turnable(view, drawing);

  view.onchange = () => {
    const l = Number(order.value);
    component.min = -l;
    component.max = l;
    component.disabled = l === 0;
    component.refresh();
    const m = Number(component.value), polynomials = data.orders[l];
    if (made !== `${l} ${m}`) {
      const one = { exponents: polynomials.exponents, rows: [polynomials.rows[m + l]] };
      const largest = Math.max(...directions.flat().map(r => Math.abs(space.harmonics(one, r)[0])));
      surface = space.lobes(r => space.harmonics(one, r)[0] / largest, directions);
      made = `${l} ${m}`;
    }
    D = space.wigner(polynomials, data.quadrature, turned.R);
    const length = Math.hypot(...D.map(row => row[m + l])), angle = space.angleOf(turned.R) * 180 / Math.PI;
    const parts = D.map((row, k) => [k - l, row[m + l]]).filter(([, value]) => Math.abs(value) > 0.05).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
    const sign = (value, first) => first ? (value < 0 ? "−" : "") : value < 0 ? " − " : " + ";
    const shown = parts.slice(0, 4).flatMap(([k, value], i) => [`${sign(value, !i)}${fixed(Math.abs(value), 2)} `, harmonic(l, k)]);
    view.say(angle < 0.5 ? "Not turned: " : `Turned by ${angle.toFixed(0)}°, `, harmonic(l, m), angle < 0.5 ? " is " : " has become ", ...shown, parts.length > 4 ? " + …" : "", ". ",
      element("strong", {}, `Length of the column: ${length.toFixed(3)}`), " at every rotation.");
    Object.assign(view.figure.dataset, { length: length.toFixed(9), matrix: JSON.stringify(D), rotation: JSON.stringify(turned.R) });
  };
});
