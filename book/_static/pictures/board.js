// The claims board: for one claim, each measured interval beside the threshold that decides.
"use strict";
equinotes.picture("board", view => {
  const { chart, element, fixed } = equinotes, { data, look } = view, all = "all scales";
  let rows, measures;
  const height = measure => 116 + 40 * rows.filter(row => row.measure === measure).length;

  view.canvas("Measured intervals of one claim and their thresholds", {
    ratio: () => measures.reduce((sum, measure) => sum + height(measure), 0) || 60, least: 300, paint: (g, width, _, colours) => {
      let top = 0;
      for (const measure of measures) {
        const mine = rows.filter(row => row.measure === measure), bottom = top + height(measure);
        const ends = mine.flatMap(row => [row.low, row.high, row.value, row.threshold]).filter(v => v !== null);
        const room = 0.08 * (Math.max(...ends) - Math.min(...ends) || 1), box = [14, top + 56, width - 22, bottom - 50];
        const { X } = chart.axes(g, box, colours, {
          x: [Math.min(...ends) - room, Math.max(...ends) + room], y: [0, 1], yticks: [], xlabel: measure,
        });
        mine.forEach((row, k) => {
          const y = box[1] + 28 + 40 * k, hollow = data.scales.indexOf(row.scale) % 2 === 1;
          Object.assign(g, { fillStyle: colours.text, textAlign: "left" });
          g.fillText(`${row.label}${scale.value === all ? ` (${row.scale})` : ""}`, box[0], y - 18, width - 30);
          if (row.threshold !== null) chart.line(g, [[X(row.threshold), y - 10], [X(row.threshold), y + 10]], look.positive, 4);
          if (row.low !== null && row.high !== null) chart.line(g, [[X(row.low), y], [X(row.high), y]], colours.text, 2.5);
          if (row.value !== null) chart.dot(g, X(row.value), y, 6, colours.text, hollow);
        });
        Object.assign(g, { fillStyle: colours.text, textAlign: "left" });
        chart.wrapped(g, `Orange mark: ${mine.find(row => row.meaning)?.meaning ?? "threshold"}`, box[0], top + 12, width - 30);
        top = bottom;
      }
    },
  });

  const claim = view.select("Claim", data.claims.map(({ name }) => [name, name]), data.claims[0].name);
  const scale = view.select("Scale", [all, ...data.scales].map(name => [name, name]), all);

  view.onchange = () => {
    const { name, statement, verdicts } = data.claims.find(each => each.name === claim.value);
    rows = data.rows.filter(row => row.claim === name && (scale.value === all || row.scale === scale.value));
    measures = [...new Set(rows.map(row => row.measure))];
    const said = data.scales.filter(each => verdicts[each] && (scale.value === all || scale.value === each));
    view.say(element("strong", {}, `${name}. `), statement, element("br"),
      ...said.map(each => element("span", { class: "picture-verdict" }, `${each}: ${verdicts[each]}`)),
      rows.length ? "" : " Nothing was measured for this claim at this scale.");
    Object.assign(view.figure.dataset, { rows: rows.length });
  };
});
