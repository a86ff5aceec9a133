// What an atom sees of its bonds with all orders up to a highest one.
"use strict";
equinotes.picture("site", view => {
  const { space, chart, element } = equinotes, { data, look } = view, directions = space.grid(37, 61);
  const lmax = data.orders.length - 1, colour = l => look.orders[l % look.orders.length];
  let shown, centre, around, coefficients, lengths, surface, made;

  const drawing = view.canvas("The molecule, and the function of the direction that the chosen orders make of one atom's bonds", {
    ratio: 1, grow: 1.3, least: 260, paint: (g, width, height, colours) => {
      const reach = Math.max(...shown.pos.map(p => Math.hypot(...p.map((v, k) => v - centre[k]))), 1.3);
      const scene = new space.Scene(g, [width / 2, height / 2], width * 0.43 / reach, turned.R), at = shown.pos.map(p => p.map((v, k) => v - centre[k]));
      for (const [i, j] of shown.bonds) scene.stick(at[i], at[j], look.grey, 5);
      at.forEach((p, i) => scene.ball(p, look.elements[shown.symbols[i]] ?? look.grey, (shown.symbols[i] === "H" ? 0.026 : 0.036) * width,
        i === Number(atom.value) ? colours.text : null));
      scene.surface(surface, look.positive, look.negative);
      scene.paint();
    },
  });

  view.canvas("Length of the mean harmonics of the bonds in each order", {
    ratio: 1.2, least: 260, paint: (g, width, height, colours) => {
      const box = [44, 34, width - 8, height - 44];
      const { X, Y } = chart.axes(g, box, colours, {
        x: [-0.6, lmax + 0.6], y: [0, 1], xlabel: "order l", ylabel: "length q of the bonds' mean", xticks: lengths.map((_, l) => [l, `${l}`]),
      });
      lengths.forEach((q, l) => {
        const highest = Number(order.value);
        Object.assign(g, { fillStyle: colour(l), strokeStyle: colour(l), lineWidth: 2 });
        const [left, top, wide, high] = [X(l - 0.35), Y(q), X(0.7) - X(0), Y(0) - Y(q)];
        l <= highest ? g.fillRect(left, Math.min(top, Y(0) - 1), wide, Math.max(high, 1)) : g.strokeRect(left + 1, top, wide - 2, high);
      });
    },
  });

  const molecule = view.select("Molecule", data.molecules.map(({ name }, k) => [k, name]), 0);
  const atom = view.select("Atom", [[0, 0]], 0);
  const order = view.slider("Highest order", { min: 0, max: lmax, value: 3 });
  const turned = space.turnable(view, drawing);

  view.onchange = () => {
    shown = data.molecules[Number(molecule.value)];
    if (made !== molecule.value) {
      made = molecule.value;
      atom.offer(shown.symbols.map((symbol, k) => [k, `${symbol} ${k}`]), shown.atom);
    }
    const me = Number(atom.value), highest = Number(order.value);
    centre = shown.pos[me];
    around = shown.bonds.flatMap(([i, j]) => i === me ? [j] : j === me ? [i] : []).map(j => {
      const bond = shown.pos[j].map((v, k) => v - centre[k]), length = Math.hypot(...bond);
      return { unit: bond.map(v => v / length), length };
    });
    const mean = table => table.rows.map((_, m) => m).map(m => around.reduce((sum, { unit }) => sum + space.harmonics(table, unit)[m], 0) / around.length);
    coefficients = data.orders.map(mean);
    lengths = coefficients.map((a, l) => Math.hypot(...a) * Math.sqrt(4 * Math.PI / (2 * l + 1)));
    const f = r => coefficients.slice(0, highest + 1).reduce((sum, a, l) =>
      sum + space.harmonics(data.orders[l], r).reduce((part, y, m) => part + y * a[m], 0), 0);
    const raw = space.lobes(f, directions), bond = Math.min(...around.map(({ length }) => length));
    const largest = Math.max(...raw.flat().map(([x, y, z]) => Math.hypot(x, y, z)));
    surface = raw.map(line => line.map(([x, y, z, sign]) => [...[x, y, z].map(v => v / largest * 0.75 * bond), sign]));
    const [weak] = [lengths.slice(1).flatMap((q, l) => q < 0.05 ? [l + 1] : [])];
    view.say(`${shown.symbols[me]} ${me}, ${around.length} bond${around.length > 1 ? "s" : ""}, orders up to `, element("strong", {}, `${highest}`),
      weak.length ? `. Nearly blind in ${weak.length > 1 ? "orders" : "order"} ${weak.join(", ")} (q < 0.05).` : ". No order is nearly blind here (all q are at least 0.05).");
    view.figure.dataset.lengths = JSON.stringify(lengths);
  };
});
