// Tables that sort and filter, downloads of pictures, and the drawing of the graph: zoom, drag, boxes tied to rows.
(function () {
  // Sorting: numbers by data-v, words as words; what has no value stays below.
  function keyOf(cell) {
    if (cell.classList.contains("n")) return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
    return cell.textContent;
  }
  function sort(table, column, down) {
    const body = table.tBodies[0];
    const keyed = [...body.rows].map(row => [keyOf(row.cells[column]), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
      return down ? -order : order;
    });
    body.append(...keyed.map(([, row]) => row));
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : head.classList.contains("n") && column > 0;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(table, column, down);
    }));
  }

  // Pictures: the link below one downloads the very bytes that the page shows.
  for (const link of document.querySelectorAll("a[data-picture]")) {
    link.href = link.closest("div").querySelector("img").src;
  }

  // Filters: which layers the table shows.
  function show(button) {
    const wanted = button.dataset.show;
    for (const row of document.getElementById(button.dataset.table).tBodies[0].rows) {
      row.hidden = wanted !== "all" && row.dataset.kind !== wanted;
    }
    for (const other of button.parentElement.children) {
      other.setAttribute("aria-pressed", other === button ? "true" : "false");
    }
  }
  for (const button of document.querySelectorAll("button[data-show]")) {
    button.addEventListener("click", () => show(button));
    if (button.getAttribute("aria-pressed") === "true") show(button);
  }

  // The drawing.
  for (const block of document.querySelectorAll(".layers")) {
    const pan = block.querySelector(".pan");
    if (!pan) continue;
    const svg = pan.querySelector("svg"), table = block.querySelector("table.sortable");
    const all = block.querySelector('button[data-show="all"]');
    const wide = svg.viewBox.baseVal.width, high = svg.viewBox.baseVal.height;
    let scale = 1;
    function zoom(to) {
      const middle = [(pan.scrollLeft + pan.clientWidth / 2) / scale, (pan.scrollTop + pan.clientHeight / 2) / scale];
      scale = Math.min(2, Math.max(0.08, to));
      svg.setAttribute("width", wide * scale);
      svg.setAttribute("height", high * scale);
      pan.scrollLeft = middle[0] * scale - pan.clientWidth / 2;
      pan.scrollTop = middle[1] * scale - pan.clientHeight / 2;
    }
    function fit() { return Math.min(1, pan.clientWidth / wide); }
    function start() {
      zoom(Math.max(fit(), 0.75));
      pan.scrollTop = 0;
      const first = svg.querySelector(".box rect");
      if (first) pan.scrollLeft = (first.x.baseVal.value + first.width.baseVal.value / 2) * scale - pan.clientWidth / 2;
    }
    const steps = { plus: () => zoom(scale * 1.25), minus: () => zoom(scale / 1.25), fit: () => zoom(fit()) };
    for (const button of block.querySelectorAll("button[data-zoom]")) {
      button.addEventListener("click", steps[button.dataset.zoom]);
    }
    let from = null, moved = false;
    pan.addEventListener("pointerdown", e => {
      if (e.pointerType !== "mouse") return;  // fingers scroll by themselves
      from = [e.clientX + pan.scrollLeft, e.clientY + pan.scrollTop];
      moved = false;
    });
    pan.addEventListener("pointermove", e => {
      if (!from || !e.buttons) return;
      moved = moved || Math.abs(from[0] - e.clientX - pan.scrollLeft) + Math.abs(from[1] - e.clientY - pan.scrollTop) > 4;
      pan.scrollLeft = from[0] - e.clientX;
      pan.scrollTop = from[1] - e.clientY;
    });
    addEventListener("pointerup", () => { from = null; });
    function within(box, child) {
      const a = box.getBoundingClientRect(), b = child.getBoundingClientRect();
      box.scrollTop += b.top - a.top - (a.height - b.height) / 2;
      box.scrollLeft += Math.max(0, b.right - a.right + 10) + Math.min(0, b.left - a.left - 10);
    }
    function mark(places, box) {
      for (const old of block.querySelectorAll(".chosen")) old.classList.remove("chosen");
      if (box) box.classList.add("chosen");
      const rows = [...table.tBodies[0].rows].filter(r => places.includes(r.dataset.place));
      for (const row of rows) row.classList.add("chosen");
      return rows;
    }
    for (const box of svg.querySelectorAll(".box")) {
      const choose = () => {
        if (moved) return;
        const rows = mark(box.dataset.layers.split(" "), box);
        if (rows.some(r => r.hidden)) show(all);
        if (rows.length) within(table.closest(".scroll"), rows[0]);
      };
      box.addEventListener("click", choose);
      box.addEventListener("keydown", e => { if (e.key === "Enter") choose(); });
    }
    table.tBodies[0].addEventListener("click", e => {
      const row = e.target.closest("tr");
      const box = [...svg.querySelectorAll(".box")].find(b => b.dataset.layers.split(" ").includes(row.dataset.place));
      mark([row.dataset.place], box);
      if (box) within(pan, box);
    });
    start();
  }
})();
