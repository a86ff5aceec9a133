// Charts on a canvas: axes with ticks and names, bars, and matrices as squares.
"use strict";
equinotes.chart = (() => {
  const { fixed, minus } = equinotes;

  const steps = (low, high, count) => {
    const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find(k => k * power >= rough * 0.999);
    const first = Math.ceil(low / step - 1e-9), many = Math.floor(high / step + 1e-9) - first + 1;
    return Array.from({ length: many }, (_, k) => Number(((first + k) * step).toPrecision(12)));
  };

  const decades = (low, high) => {
    const found = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
      for (const k of [1, 2, 5]) if (k * 10 ** e >= low * 0.999 && k * 10 ** e <= high * 1.001) found.push(Number((k * 10 ** e).toPrecision(3)));
    }
    return found.length > 8 ? found.filter(v => String(v).match(/^(0\.)?0*1/)) : found;
  };

  // Draws axes in `box` [left, top, right, bottom] and returns the places {X(value), Y(value)} of values.
  const axes = (g, box, colours, { x, y, xlabel = "", ylabel = "", xticks, yticks, logx = false, logy = false, grid = true }) => {
    const [left, top, right, bottom] = box;
    const scaled = (range, from, to, log) => {
      const f = log ? Math.log10 : v => v, [a, b] = range.map(f);
      return v => from + (to - from) * (f(v) - a) / (b - a);
    };
    const [X, Y] = [scaled(x, left, right, logx), scaled(y, bottom, top, logy)];
    const named = ticks => ticks.map(t => Array.isArray(t) ? t : [t, minus(String(t))]);
    const across = named(xticks ?? (logx ? decades(...x) : steps(...x, Math.max(2, (right - left) / 75))));
    const up = named(yticks ?? (logy ? decades(...y) : steps(...y, Math.max(2, (bottom - top) / 45))));
    Object.assign(g, { strokeStyle: colours.line, fillStyle: colours.text, lineWidth: 1 });
    g.beginPath();
    for (const [value, text] of across) {
      g.moveTo(X(value), grid ? top : bottom), g.lineTo(X(value), bottom + 4);
      g.textAlign = "center";
      g.fillText(text, X(value), bottom + 14);
    }
    for (const [value, text] of up) {
      g.moveTo(left - 4, Y(value)), g.lineTo(grid ? right : left, Y(value));
      g.textAlign = "right";
      g.fillText(text, left - 7, Y(value));
    }
    g.stroke();
    g.textAlign = "center";
    g.fillText(xlabel, (left + right) / 2, bottom + 34);
    if (ylabel) { g.textAlign = "left"; g.fillText(ylabel, Math.max(2, left - 44), top - 14); }
    return { X, Y };
  };

  // Text in as many lines as the width asks for, downwards from y.
  const wrapped = (g, text, x, y, width) => {
    let line = "";
    for (const word of text.split(" ")) {
      const longer = line ? `${line} ${word}` : word;
      if (line && g.measureText(longer).width > width) {
        g.fillText(line, x, y);
        [line, y] = [word, y + 17];
      } else line = longer;
    }
    g.fillText(line, x, y);
  };

  const line = (g, points, colour, width = 2, dash = []) => {
    Object.assign(g, { strokeStyle: colour, lineWidth: width });
    g.setLineDash(dash);
    g.beginPath();
    points.forEach(([x, y], k) => k ? g.lineTo(x, y) : g.moveTo(x, y));
    g.stroke();
    g.setLineDash([]);
  };

  const dot = (g, x, y, radius, colour, hollow = false) => {
    g.beginPath();
    g.arc(x, y, radius, 0, 2 * Math.PI);
    Object.assign(g, { fillStyle: colour, strokeStyle: colour, lineWidth: 2 });
    hollow ? g.stroke() : g.fill();
  };

  // A matrix of values from -span to span; the colour is the sign, its strength the size.
  const matrix = (g, [left, top, size], values, span, look, colours, { numbers = false } = {}) => {
    const cell = size / values.length;
    g.textAlign = "center";
    values.forEach((row, i) => row.forEach((value, j) => {
      g.globalAlpha = Math.min(1, Math.abs(value) / span);
      g.fillStyle = value < 0 ? look.negative : look.positive;
      g.fillRect(left + j * cell, top + i * cell, cell, cell);
      g.globalAlpha = 1;
      if (numbers && cell >= 38) {
        g.fillStyle = colours.text;
        g.fillText(fixed(value, 2), left + (j + 0.5) * cell, top + (i + 0.5) * cell);
      }
    }));
    Object.assign(g, { strokeStyle: colours.line, lineWidth: 1 });
    for (let k = 0; k <= values.length; k++) {
      g.beginPath();
      g.moveTo(left + k * cell, top), g.lineTo(left + k * cell, top + size);
      g.moveTo(left, top + k * cell), g.lineTo(left + size, top + k * cell);
      g.stroke();
    }
    return cell;
  };

  // Bars upwards and downwards from the middle of a box, all to one scale.
  const bars = (g, [left, top, right, bottom], values, span, colour, colours, base = 0.5) => {
    const zero = bottom - (bottom - top) * base, step = (right - left) / values.length;
    const room = base > 0 ? (bottom - top) * Math.min(base, 1 - base || base) : bottom - top;
    values.forEach((value, k) => {
      g.fillStyle = typeof colour === "function" ? colour(k) : colour;
      const height = room * Math.max(-1, Math.min(1, value / span));
      g.fillRect(left + (k + 0.15) * step, Math.min(zero, zero - height), step * 0.7, Math.max(1, Math.abs(height)));
    });
    line(g, [[left, zero], [right, zero]], colours.line, 1);
  };

  return { axes, wrapped, line, dot, matrix, bars };
})();
