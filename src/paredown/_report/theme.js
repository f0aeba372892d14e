"use strict";
// Light and dark, and the drawing of every plot in the colours of the theme.
(function () {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.querySelector("button.theme");
  let chosen = null;

  function colour(name) {
    return getComputedStyle(root).getPropertyValue(name).trim();
  }

  // "--best" anywhere in a figure stands for the theme's colour of that name.
  function paint(value) {
    if (typeof value === "string") return value.startsWith("--") ? colour(value) : value;
    if (Array.isArray(value)) return value.map(paint);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, paint(v)]));
  }

  function axis(given, narrow) {
    const title = Object.assign({ standoff: 12, font: { size: 13 } }, given.title);
    return Object.assign({ gridcolor: colour("--grid"), zerolinecolor: colour("--grid"), linecolor: colour("--rule"),
      tickfont: { size: narrow ? 11 : 12 } }, given, { title: title });
  }

  function layout(given) {
    const narrow = window.innerWidth < 720;
    const full = Object.assign({
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--ink") },
      margin: { l: narrow ? 44 : 56, r: narrow ? 12 : 24, t: 18, b: 48 },
      hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--rule"), font: { color: colour("--ink") } },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } },
      dragmode: false,
    }, given);
    for (const key of Object.keys(full)) {
      if (/^[xy]axis\d*$/.test(key)) full[key] = axis(full[key], narrow);
    }
    return full;
  }

  // A narrow screen has no room for labels beside marks: they go to the legend, told apart by colour, but for
  // the few that stand far from each other. Words behind bars need a larger share of the width, long titles two lines.
  function fit(figure, width) {
    if (window.innerWidth >= 720) return figure;
    let next = 1;
    for (const trace of figure.data) {
      if (trace.meta === "key") trace.showlegend = false;
      if (trace.meta === "few") {
        trace.text = trace.text.map(t => t.length > 18 ? t.slice(0, 8) + "\u2026" + t.slice(-8) : t);
        trace.textfont.size = 10;
      } else if (trace.mode === "markers+text") {
        Object.assign(trace, { mode: "markers", showlegend: true });
        figure.layout.showlegend = true;
        figure.layout.legend = { orientation: "h", x: 0, y: -0.22, yanchor: "top" };
        if (trace.marker.symbol === "circle" && trace.meta !== "group") trace.marker.color = colour("--series-" + (next++ % 7 + 1));
      }
      if (trace.mode === "text") fitWords(figure.layout.xaxis, trace, width);
    }
    const title = (figure.layout.xaxis || {}).title;
    if (title && title.text.length > 26) {
      const middle = title.text.lastIndexOf(" ", title.text.length / 2 + 4);
      title.text = title.text.slice(0, middle) + "<br>" + title.text.slice(middle + 1);
      if (figure.layout.legend && figure.layout.legend.yanchor === "top") figure.layout.legend.y = -0.3;
    }
    return figure;
  }

  // Room for the words behind bars: letters are about 6.6 pixels wide, those of the names before the bars 6.2.
  function fitWords(axis, trace, width) {
    const longest = texts => Math.max(...texts.map(t => t.trim().length));
    const room = Math.max(width - 6.2 * longest(trace.y) - 30, 110);
    const share = Math.min((6.6 * longest(trace.text) + 14) / room, 0.75);
    axis.range[1] = Math.max(axis.range[1], Math.max(...trace.x) / (1 - share));
  }

  // plotly.js lies in the page packed: a third of its bytes.
  async function unpacked(script) {
    const bytes = Uint8Array.from(atob(script.textContent), c => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const made = document.createElement("script");
    made.textContent = await new Response(stream).text();
    document.head.append(made);
  }

  function drawAll() {
    for (const script of document.querySelectorAll("script[data-for]")) {
      const box = document.getElementById(script.dataset.for);
      const figure = fit(paint(JSON.parse(script.textContent)), box.clientWidth);
      Plotly.react(script.dataset.for, figure.data, layout(figure.layout),
        { responsive: true, displayModeBar: false, displaylogo: false });
    }
  }

  function apply() {
    const theme = chosen || (dark.matches ? "dark" : "light");
    root.dataset.theme = theme;
    button.textContent = theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", "Switch to the " + button.textContent.toLowerCase() + " theme");
    plotly.then(drawAll);
  }

  const plotly = unpacked(document.getElementById("plotly"));
  button.addEventListener("click", function () {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
})();
