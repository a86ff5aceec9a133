// Maps of molecules: one map for each combination of the choices; one molecule is followed from map to map.
"use strict";
equinotes.picture("maps", view => {
  const { chart, element, fixed, unpack } = equinotes, { data, look } = view, { names, scores, colours: scale } = data;
  const maps = data.views.map(({ choice, points }) => ({ choice, points: unpack(points, Int16Array) }));
  const [low, high] = data.range, ranked = scores.map((_, k) => k).sort((a, b) => scores[a] - scores[b]);
  const colour = score => scale[Math.max(0, Math.min(scale.length - 1, Math.floor((score - low) / (high - low) * scale.length)))];
  let map, picked = ranked[0], places = [];

  const node = view.canvas("Map of molecules, each a dot coloured by its score", {
    ratio: width => Math.min(width * 0.8, 460) + 50, least: 300, paint: (g, width, height, colours) => {
      const bottom = height - 50, size = Math.min(width, bottom) / 2 - 12;
      places = names.map((_, k) => [width / 2 + map.points[2 * k] / 32767 * size * Math.min(1.5, width / bottom), bottom / 2 - map.points[2 * k + 1] / 32767 * size]);
      places.forEach(([x, y], k) => chart.dot(g, x, y, 3.2, colour(scores[k])));
      const [x, y] = places[picked];
      chart.dot(g, x, y, 5, colour(scores[picked]));
      chart.dot(g, x, y, 9, colours.text, true);
      const step = (width - 120) / scale.length, top = height - 22;
      scale.forEach((each, k) => { g.fillStyle = each; g.fillRect(60 + k * step, top, step + 0.5, 12); });
      Object.assign(g, { fillStyle: colours.text, textAlign: "right" });
      g.fillText(fixed(low, 0), 54, top + 6);
      g.textAlign = "left";
      g.fillText(fixed(high, 0), width - 54, top + 6);
      g.textAlign = "center";
      g.fillText(data.label, width / 2, top - 12);
    },
  });
  node.tabIndex = 0;

  const near = event => {
    const frame = node.getBoundingClientRect(), at = [event.clientX - frame.left, event.clientY - frame.top];
    const far = places.map(([x, y]) => Math.hypot(x - at[0], y - at[1])), best = far.indexOf(Math.min(...far));
    if (far[best] < 18 && best !== picked) { picked = best; view.changed(); }
  };
  node.addEventListener("pointermove", near);
  node.addEventListener("pointerdown", near);
  const step = by => { picked = ranked[(ranked.indexOf(picked) + by + ranked.length) % ranked.length]; };
  node.addEventListener("keydown", event => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (by) { event.preventDefault(); step(by); view.changed(); }
  });

  const controls = data.choices.map(name => view.select(name, [[0, 0]], 0));
  view.button("Previous by score", () => step(-1));
  view.button("Next by score", () => step(1));
  const wanted = maps[0].choice.slice();
  let open = false;

  view.onchange = () => {
    let left = maps;
    controls.forEach((control, k) => {
      if (open && control.value !== control.dataset.shown) wanted[k] = control.value;
      control.offer([...new Set(left.map(each => each.choice[k]))].map(value => [value, value]), wanted[k]);
      control.dataset.shown = control.value;
      left = left.filter(each => each.choice[k] === control.value);
    });
    open = true;
    [map] = left;
    view.say(element("strong", {}, names[picked]), ` ${data.label}: ${fixed(scores[picked], 1)}`);
    Object.assign(view.figure.dataset, { picked, choice: map.choice.join("|") });
  };
});
