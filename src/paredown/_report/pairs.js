// Two candidates beside each other: the lists pick, the table and the sentence follow.
(function () {
  const data = document.getElementById("pair-data");
  if (!data) return;
  const { candidates, apart } = JSON.parse(data.textContent);
  const picks = ["a", "b"].map(side => document.getElementById("pick-" + side));
  const table = document.getElementById("pair"), said = document.getElementById("pair-said");

  function row(kind, words) {
    const line = document.createElement("tr");
    words.forEach((word, i) => {
      const cell = document.createElement(kind);
      cell.textContent = word;
      if (i) cell.className = "n";
      line.append(cell);
    });
    return line;
  }

  function show() {
    const [i, j] = picks.map(pick => Number(pick.value));
    const pair = [candidates[i], candidates[j]];
    const names = [...new Set(pair.flatMap(c => Object.keys(c.figures)))];
    table.tHead.replaceChildren(row("th", ["", pair[0].name, pair[1].name]));
    table.tBodies[0].replaceChildren(
      ...names.map(name => row("td", [name, ...pair.map(c => c.figures[name] || "\u2013")])));
    const [first, second] = i < j ? pair : [pair[1], pair[0]];
    const words = apart[Math.min(i, j) + "," + Math.max(i, j)];
    said.textContent = i === j ? "These two are the same." : words
      ? second.name + " beside " + first.name + ": " + words
      : "What was kept of them does not let their accuracies be compared: other images, or an older study.";
  }

  for (const pick of picks) {
    pick.value = pick.dataset.start;
    pick.addEventListener("change", show);
  }
  show();
})();
