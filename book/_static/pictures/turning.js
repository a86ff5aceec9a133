// Turn a molecule: the components of one atom's features change, their lengths and power spectra do not.
"use strict";
equinotes.picture("turning", view => {
  const { space, chart, fixed, element } = equinotes, { data, look } = view, { orders, pos } = data;
  const colour = l => look.orders[l % look.orders.length];
  const reach = Math.max(...pos.map(p => Math.hypot(...p)), 1);
  const spans = orders.map(({ features }) => Math.max(...features.map(x => Math.hypot(...x)), 1e-12));
  const power = features => features.map(a => features.map(b => a.reduce((sum, v, k) => sum + v * b[k], 0)));
  const still = orders.map(({ features }) => power(features));
  let now;

  const drawing = view.canvas("The molecule, turned as you turned it", {
    ratio: 1, grow: 1, least: 230, paint: (g, width, height, colours) => {
      const scene = new space.Scene(g, [width / 2, height / 2], width * 0.42 / reach, turned.R);
      for (const [i, j] of data.bonds) scene.stick(pos[i], pos[j], look.grey, 6);
      pos.forEach((p, i) => scene.ball(p, look.elements[data.symbols[i]] ?? look.grey, (data.symbols[i] === "H" ? 0.032 : 0.045) * width,
        i === data.atom ? colours.text : null));
      scene.paint();
      Object.assign(g, { fillStyle: colours.text, textAlign: "left" });
      g.fillText(`Ringed: the atom (${data.symbols[data.atom]}) whose features are shown`, 4, height - 10, width - 8);
    },
  });

  const row = 92, top = 30;
  view.canvas("Components, lengths and power spectrum of each order", {
    ratio: () => top + row * orders.length, grow: 1.7, least: 320, paint: (g, width, height, colours) => {
      const c = Number(channel.value) - 1, square = row - 26, columns = [44, 44 + (width - 56 - square) * 0.64, width - square - 8];
      g.textAlign = "left";
      ["components", "lengths", "power"].forEach((text, k) => g.fillText(text, columns[k], 12));
      orders.forEach(({ l, features }, k) => {
        const [y, bottom] = [top + k * row, top + k * row + square], before = features[c], after = now[k].features[c];
        Object.assign(g, { fillStyle: colours.text, textAlign: "left" });
        g.fillText(`l = ${l}`, 2, (y + bottom) / 2);
        const box = [columns[0], y, columns[1] - 18, bottom], step = (box[2] - box[0]) / after.length, middle = (y + bottom) / 2;
        chart.bars(g, box, after, spans[k], colour(l), colours);
        Object.assign(g, { strokeStyle: colours.text, lineWidth: 1.5 });
        before.forEach((value, m) => {
          const level = middle - value / spans[k] * square / 2;
          chart.line(g, [[box[0] + (m + 0.08) * step, level], [box[0] + (m + 0.92) * step, level]], colours.text, 1.5);
        });
        const lengths = now[k].features.map(x => Math.hypot(...x));
        chart.bars(g, [columns[1], y, columns[2] - 16, bottom], lengths, spans[k],
          i => i === c ? colour(l) : `${colour(l)}77`, colours, 0);
        chart.matrix(g, [columns[2], y, square], now[k].power, spans[k] ** 2, look, colours);
      });
    },
  });

  const channel = view.slider("Channel", { min: 1, max: orders[0].features.length, value: 1 });
  const turned = space.turnable(view, drawing);

  view.onchange = () => {
    let moved = 0, lengths = 0, spectra = 0;
    now = orders.map(({ table, features }, k) => {
      const D = space.wigner(table, data.quadrature, turned.R);
      const after = features.map(x => D.map(line => line.reduce((sum, v, j) => sum + v * x[j], 0))), spectrum = power(after);
      features.forEach((x, c) => {
        lengths = Math.max(lengths, Math.abs(Math.hypot(...x) - Math.hypot(...after[c])) / spans[k]);
        x.forEach((v, m) => { moved = Math.max(moved, Math.abs(v - after[c][m]) / spans[k]); });
        spectrum[c].forEach((v, d) => { spectra = Math.max(spectra, Math.abs(v - still[k][c][d]) / spans[k] ** 2); });
      });
      return { features: after, power: spectrum };
    });
    const angle = space.angleOf(turned.R) * 180 / Math.PI;
    view.say(`Turned by ${angle.toFixed(0)}°. Largest relative change of a component: `, element("strong", {}, fixed(moved, 2)),
      "; of a length: ", element("strong", {}, fixed(lengths, 2)), "; of a power spectrum: ", element("strong", {}, fixed(spectra, 2)), ".");
    Object.assign(view.figure.dataset, {
      rotation: JSON.stringify(turned.R), features: JSON.stringify(now.map(each => each.features)), invariants: `${Math.max(lengths, spectra)}`,
    });
  };
});
