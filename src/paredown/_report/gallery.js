// A pair of pictures large: opened by a click or Enter, left and right lead to the next, Escape closes.
(function () {
  const pairs = [...document.querySelectorAll(".gallery figure")];
  if (!pairs.length) return;
  const dialog = document.createElement("dialog");
  dialog.className = "pictures";
  dialog.setAttribute("aria-label", "Pictures, large");
  const words = document.createElement("p"), both = document.createElement("div");
  const close = document.createElement("button");
  both.className = "pair";
  close.className = "close";
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.append(close, words, both);
  document.body.append(dialog);
  let at = 0;

  function show(index) {
    at = (index + pairs.length) % pairs.length;
    words.textContent = pairs[at].querySelector("figcaption").textContent;
    both.replaceChildren(...[...pairs[at].querySelectorAll("img")].map(image => image.cloneNode()));
    if (!dialog.open) dialog.showModal();
  }

  pairs.forEach((pair, index) => {
    for (const button of pair.querySelectorAll("button.enlarge")) button.addEventListener("click", () => show(index));
  });
  dialog.addEventListener("keydown", e => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (step) show(at + step);
  });
  dialog.addEventListener("click", e => { if (e.target === dialog) dialog.close(); });
})();
