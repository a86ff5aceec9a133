// Spoil an order of a trained network and see what the error does, from stored measurements.
"use strict";
equinotes.picture("spoil", view => {
  const { chart, fixed, element } = equinotes, { data, look } = view;
  const colour = l => look.orders[l % look.orders.length];
  const rows = data.network.map((_, k) => Object.fromEntries(data.columns.map(name => [name, data[name][k]])));
  const several = (list, name) => [...new Set(list.map(each => each[name]))].sort((a, b) => a - b);
  const pairs = values => values.map(value => [value, value]);
  let here, chosen, same;

  view.canvas("Test error of the whole network and with each order spoilt", {
    ratio: width => 96 + 34 * Math.max(several(here, "l").length, 1), least: 300, paint: (g, width, height, colours) => {
      const shown = here.filter(row => row.block === chosen.block && row.kind === chosen.kind), levels = several(here, "l");
      const all = here.flatMap(row => [row.whole, row.whole + row.low, row.whole + row.high, row.mae]).filter(v => v > 0);
      const limits = [Math.min(...all) * 0.93, Math.max(...all) * 1.06], box = [46, 34, width - 20, height - 52];
      const y = l => box[1] + (levels.indexOf(l) + 0.5) * (box[3] - box[1]) / levels.length;
      const { X } = chart.axes(g, box, colours, { x: limits, y: [0, 1], xlabel: "test MAE [eV], logarithmic", yticks: [], logx: true });
      g.textAlign = "left";
      for (const l of levels) { g.fillStyle = colours.text; g.fillText(`l = ${l}`, 2, y(l)); }
      for (const row of shown) {
        if (row.seed !== chosen.seed) chart.dot(g, X(row.mae), y(row.l), 3, look.grey, true);
      }
      chart.line(g, [[X(chosen.whole), box[1] - 8], [X(chosen.whole), box[3]]], colours.text, 2, [5, 4]);
      Object.assign(g, { fillStyle: colours.text, textAlign: X(chosen.whole) < width / 2 ? "left" : "right" });
      g.fillText("nothing spoilt", X(chosen.whole), box[1] - 18);
      for (const row of shown.filter(each => each.seed === chosen.seed)) {
        g.globalAlpha = row === chosen ? 1 : 0.55;
        const ends = [row.low, row.high].map(v => X(Math.max(limits[0], row.whole + v)));
        chart.line(g, ends.map(x => [x, y(row.l)]), colour(row.l), row === chosen ? 5 : 2.5);
        chart.dot(g, X(row.mae), y(row.l), row === chosen ? 8 : 4.5, colour(row.l));
        g.globalAlpha = 1;
      }
      Object.assign(g, { strokeStyle: colours.text, lineWidth: 1.5 });
      g.beginPath();
      g.arc(X(chosen.mae), y(chosen.l), 11, 0, 2 * Math.PI);
      g.stroke();
    },
  });

  const network = view.select("Network", data.networks.map((name, k) => [k, name]), data.start.network);
  const kind = view.select("How", data.kinds.map(([, name], k) => [k, name]), data.start.kind);
  const order = view.select("Order", [[0, 0]], data.start.l);
  const block = view.select("Behind block", [[0, 0]], data.start.block);
  const seed = view.select("Seed", [[0, 0]], data.start.seed);
  let wanted = { ...data.start };

  view.onchange = () => {
    for (const [name, control] of Object.entries({ l: order, block, seed })) if (same) wanted[name] = Number(control.value);
    const ofNetwork = rows.filter(row => row.network === Number(network.value));
    const kinds = several(ofNetwork, "kind");
    kind.offer(kinds.map(k => [k, data.kinds[k][1]]), kind.value);
    here = ofNetwork.filter(row => row.kind === Number(kind.value));
    same = here;
    for (const [name, control] of Object.entries({ l: order, block, seed })) {
      control.offer(pairs(several(same, name)), wanted[name]);
      same = same.filter(row => row[name] === Number(control.value));
    }
    [chosen] = same;
    const share = chosen.mae / chosen.whole - 1, sign = share < 0 ? "" : "+";
    view.say(`${data.kinds[chosen.kind][1]}, l = ${chosen.l} behind block ${chosen.block}, seed ${chosen.seed}: `,
      element("strong", {}, `${fixed(chosen.whole, 3)} → ${fixed(chosen.mae, 3)} eV (${sign}${fixed(100 * share, 0)}\u00a0%)`),
      `, 95\u00a0% interval of the change over molecules ${fixed(chosen.low, 3)} to ${fixed(chosen.high, 3)} eV.`);
    view.figure.dataset.chosen = JSON.stringify(chosen);
  };
});
