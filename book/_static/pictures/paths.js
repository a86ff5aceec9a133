// Paths of a tensor product for a set of orders, the parameters they cost, and the weights that no energy reads.
"use strict";
equinotes.picture("paths", view => {
  const { chart, element } = equinotes, { data, look } = view;
  const colour = l => look.orders[l % look.orders.length], comma = n => n.toLocaleString("en");
  let ls, paths, parts;

  const legend = (g, y, colours, text, x, solid) => {
    Object.assign(g, { fillStyle: look.grey, strokeStyle: look.grey, lineWidth: 2, textAlign: "left" });
    solid ? g.fillRect(x, y - 6, 12, 12) : g.strokeRect(x + 1, y - 5, 10, 10);
    g.fillStyle = colours.text;
    g.fillText(text, x + 18, y);
  };

  view.canvas("One square for each path, in one panel for each output order", {
    ratio: width => { const across = Math.max(1, Math.floor(width / 150)); return 50 + Math.ceil(ls.length / across) * 158; },
    grow: 1.4, least: 300, paint: (g, width, height, colours) => {
      const across = Math.min(ls.length, Math.max(1, Math.floor(width / 150))), panel = width / across;
      legend(g, 12, colours, "path", 4, true);
      if (block.value === "last") legend(g, 12, colours, "path that no energy reads", 70, false);
      g.textAlign = "left";
      g.fillText("rows: input order, columns: order of the harmonics", 4, 34, width - 8);
      ls.forEach((l3, n) => {
        const left = (n % across) * panel + 34, top = 50 + Math.floor(n / across) * 158 + 32, size = 96, cell = size / ls.length;
        Object.assign(g, { fillStyle: colours.text, textAlign: "left" });
        g.fillText(`into l = ${l3}`, left, top - 24);
        chart.matrix(g, [left, top, size], ls.map(() => ls.map(() => 0)), 1, look, colours);
        g.textAlign = "center";
        ls.forEach((l, k) => {
          g.fillStyle = colours.text;
          g.fillText(`${l}`, left - 10, top + (k + 0.5) * cell);
          g.fillText(`${l}`, left + (k + 0.5) * cell, top - 8);
        });
        for (const [l1, l2] of paths.filter(path => path[2] === l3)) {
          const [x, y] = [left + ls.indexOf(l2) * cell, top + ls.indexOf(l1) * cell];
          Object.assign(g, { fillStyle: colour(l3), strokeStyle: colour(l3), lineWidth: 2 });
          if (block.value === "last" && l3 > 0) g.strokeRect(x + 3, y + 3, cell - 6, cell - 6);
          else g.fillRect(x + 2, y + 2, cell - 4, cell - 4);
        }
      });
    },
  });

  view.canvas("Parameters of each part of the network", {
    ratio: () => 30 + 44 * parts.length, least: 270, paint: (g, width, height, colours) => {
      const most = Math.max(...parts.map(([, count]) => count));
      Object.assign(g, { fillStyle: colours.text, textAlign: "left" });
      g.fillText("parameters", 4, 12);
      parts.forEach(([name, count, dead], k) => {
        const y = 30 + 44 * k, length = Math.max(1, (width - 8) * count / most);
        Object.assign(g, { fillStyle: colours.text, textAlign: "left" });
        g.fillText(name, 4, y + 8);
        g.textAlign = "right";
        g.fillText(comma(count), width - 4, y + 8);
        Object.assign(g, { fillStyle: look.grey, strokeStyle: look.grey, lineWidth: 2 });
        dead ? g.strokeRect(5, y + 19, Math.max(1, length - 2), 12) : g.fillRect(4, y + 18, length, 14);
      });
    },
  });

  const orders = view.checks("Orders", data.orders.map(l => [l, `${l}`, colour(l)]), [0, 1, 2], [0]);
  const channels = view.slider("Channels", { min: 8, max: 64, step: 8, value: 32 });
  const block = view.select("Paths of", [["first", "the first block"], ["inner", "a block between"], ["last", "the last block"]], "last");

  view.onchange = () => {
    ls = [...orders].sort((a, b) => a - b);
    const mul = Number(channels.value), { embedding, inputs, blocks, basis } = data;
    const all = data.triples.filter(path => path.every(l => orders.has(l))), first = all.filter(path => path[0] === 0);
    const radial = basis * mul, weights = (found, from) => mul * found * from * mul; // as many hidden units as channels
    const readable = all.filter(path => path[2] === 0).length;
    paths = block.value === "first" ? first : all;
    parts = [
      ["table of elements", embedding],
      ["first block", radial + weights(first.length, inputs)],
      [`${blocks - 2} blocks between`, (blocks - 2) * (radial + weights(all.length, mul))],
      ["last block, read", radial + weights(readable, mul)],
      ["last block, read by nothing", weights(all.length - readable, mul), true],
      ["readout and scale", mul + 2],
    ];
    const total = parts.reduce((sum, [, count]) => sum + count, 0), dead = parts[4][1];
    view.say(`Orders ${ls.join(", ")} with ${mul} channels: `, element("strong", {}, `${paths.length} paths, ${comma(total)} parameters`),
      `; ${comma(dead)} of them (${(100 * dead / total).toFixed(0)} %) never get a gradient.`);
    Object.assign(view.figure.dataset, { total, dead, paths: paths.length });
  };
});
