// The angle of water: what a set of Legendre polynomials can fit, on all angles or on a few.
"use strict";
equinotes.picture("angle", view => {
  const { chart, fixed, element } = equinotes, { data, look } = view, { angles, legendre } = data;
  const colour = l => look.orders[l % look.orders.length], [first, last] = [angles[0], angles.at(-1)];
  let inside, fit, rms;
  const ticks = [60, 90, 120, 150, 180].filter(t => t >= first).map(t => [t, `${t}°`]);

  // Least squares by Gram-Schmidt, done twice so that rounding does not matter on a narrow range.
  const leastSquares = (columns, target) => {
    const dot = (a, b) => a.reduce((sum, v, k) => sum + v * b[k], 0), basis = [], R = columns.map(() => []);
    columns.forEach((column, j) => {
      const q = [...column];
      for (let pass = 0; pass < 2; pass++) basis.forEach((b, i) => {
        const part = dot(b, q);
        R[i][j] = (R[i][j] ?? 0) + part;
        b.forEach((v, k) => { q[k] -= part * v; });
      });
      R[j][j] = Math.sqrt(dot(q, q));
      basis.push(q.map(v => v / R[j][j]));
    });
    const found = new Array(columns.length).fill(0), rest = [...target];
    const parts = basis.map(b => { const part = dot(b, rest); b.forEach((v, k) => { rest[k] -= part * v; }); return part; });
    for (let i = columns.length - 1; i >= 0; i--) {
      found[i] = parts[i];
      for (let j = i + 1; j < columns.length; j++) found[i] -= R[i][j] * found[j];
      found[i] /= R[i][i];
    }
    return found;
  };

  const shade = (g, X, box, colours) => {
    g.fillStyle = colours.dark ? "rgba(255,255,255,.07)" : "rgba(0,0,0,.05)";
    g.fillRect(X(angles[inside[0]]), box[1], X(angles[inside.at(-1)]) - X(angles[inside[0]]), box[3] - box[1]);
  };

  view.canvas("The Legendre polynomials of the chosen orders", {
    ratio: 1.25, least: 270, paint: (g, width, height, colours) => {
      const box = [44, 34, width - 22, height - 48];
      const { X, Y } = chart.axes(g, box, colours, { x: [first, last], y: [-1, 1], xticks: ticks, xlabel: "bond angle", ylabel: "what the orders offer: Legendre polynomials" });
      shade(g, X, box, colours);
      for (const l of [...orders].sort()) chart.line(g, angles.map((a, k) => [X(a), Y(legendre[l][k])]), colour(l), 2.5);
    },
  });
  view.canvas("The energy and its best fit", {
    ratio: 1.25, least: 270, paint: (g, width, height, colours) => {
      const box = [48, 34, width - 22, height - 48], energy = data.targets[Number(target.value)].values;
      const low = Math.min(...energy), high = Math.max(...energy), room = 0.15 * (high - low);
      const { X, Y } = chart.axes(g, box, colours, { x: [first, last], y: [low - room, high + room], xticks: ticks, xlabel: "bond angle", ylabel: "energy [eV]" });
      shade(g, X, box, colours);
      g.save();
      g.beginPath();
      g.rect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
      g.clip();
      angles.forEach((a, k) => { if (k % 4 === 0) chart.dot(g, X(a), Y(energy[k]), 2.5, colours.text); });
      const points = angles.map((a, k) => [X(a), Y(fit[k])]), [from, to] = [inside[0], inside.at(-1)];
      chart.line(g, points.slice(0, from + 1), look.positive, 2, [4, 4]);
      chart.line(g, points.slice(to), look.positive, 2, [4, 4]);
      chart.line(g, points.slice(from, to + 1), look.positive, 3);
      g.restore();
    },
  });

  const target = view.select("Energy", data.targets.map(({ name }, k) => [k, name]), 0);
  const width = view.slider("Angles seen, up to", { min: 5, max: 80, step: 5, value: 80, show: v => `${v}° from ${data.centre}°` });
  const orders = view.checks("Orders", legendre.map((_, l) => [l, `${l}`, colour(l)]), [0, 1, 2], [0]);

  view.onchange = () => {
    const energy = data.targets[Number(target.value)].values, chosen = [...orders].sort((a, b) => a - b);
    inside = angles.flatMap((a, k) => Math.abs(a - data.centre) <= Number(width.value) ? [k] : []);
    const weights = leastSquares(chosen.map(l => inside.map(k => legendre[l][k])), inside.map(k => energy[k]));
    fit = angles.map((_, k) => chosen.reduce((sum, l, i) => sum + weights[i] * legendre[l][k], 0));
    rms = Math.sqrt(inside.reduce((sum, k) => sum + (fit[k] - energy[k]) ** 2, 0) / inside.length);
    view.say(`Orders ${chosen.join(", ")}: ${chosen.length} numbers, fitted from ${angles[inside[0]]}° to ${angles[inside.at(-1)]}°. `,
      element("strong", {}, `Root mean square error there: ${rms < 0.01 ? `${fixed(1000 * rms, rms < 0.001 ? 2 : 1)} meV` : `${fixed(rms, 3)} eV`}`), ".");
    Object.assign(view.figure.dataset, { rms: rms.toExponential(9), range: `${inside[0]} ${inside.at(-1)}` });
  };
});
