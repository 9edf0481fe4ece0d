"use strict";
(() => {
  const blob = JSON.parse(document.getElementById("blob").textContent);
  const filters = [...document.querySelectorAll("[data-filter]")];
  const ones = [...document.querySelectorAll("[data-one]")];
  const rows = new Map();
  const shown = new Map();
  const details = blob.details;
  let one = null;

  // Columns back to rows, once for each data set and only when a chart needs it.
  function rowsOf(name) {
    if (!rows.has(name)) {
      const columns = Object.entries(blob.data[name] ?? {});
      const length = columns.length ? (columns[0][1].at ?? columns[0][1]).length : 0;
      rows.set(name, Array.from({length}, (_, i) =>
        Object.fromEntries(columns.map(([key, c]) => [key, c.texts ? c.texts[c.at[i]] : c[i]]))));
    }
    return rows.get(name);
  }

  const chosen = () => Object.fromEntries(filters.map((f) => [f.dataset.filter, f.value]));

  function keeps(row, wanted, all) {
    for (const key of ["device", "runtime", "scheme"]) {
      if (wanted[key] && key in row && row[key] !== wanted[key]) return false;
    }
    if (all || wanted.context === undefined || !("context" in row) || row.context === null) return true;
    return String(row.context) === wanted.context;
  }

  function datasets(spec, wanted, name, single) {
    const names = new Set([...JSON.stringify(spec).matchAll(/"data":\{"name":"(\w+)"\}/g)].map((m) => m[1]));
    const found = {};
    for (const each of names) {
      found[each] = rowsOf(each).filter((row) => keeps(row, single ? {context: wanted.context} : wanted, blob.charts[name].all)
        && (!single || (one !== null && row.setup === one.setup && (!blob.charts[name].pair || row.pair === one.pair))));
    }
    return found;
  }

  async function draw(name) {
    const host = document.getElementById(`chart-${name}`);
    const {spec, one: single} = blob.charts[name];
    const data = datasets(spec, chosen(), name, single);
    shown.get(name)?.finalize();
    shown.delete(name);
    host.replaceChildren();
    const sized = spec.height?.step ? {
      height: spec.height.step * new Set(Object.values(data).flatMap((each) => each.map((row) => spec.height.for ? row.band : row.row))).size + 64,
      autosize: {type: "fit", contains: "padding"},
    } : {};
    const none = Object.values(data).every((each) => each.length === 0);
    host.classList.toggle("empty", none);
    if (none) {
      host.textContent = "Nothing measured passes the filters.";
      return;
    }
    // A chart below a closed fold has no width of its own: it takes the section's, and its own once the fold is opened.
    if (!host.clientWidth) sized.width = host.closest("section").clientWidth;
    // `ast` makes Vega interpret expressions, so that the page needs no eval.
    const options = {ast: true, renderer: "svg", actions: false, logLevel: 1, tooltip: {theme: "custom"}};
    // The host is one image with a label; what Vega says of each mark inside would only be noise.
    const canvas = document.createElement("div");
    canvas.setAttribute("aria-hidden", "true");
    canvas.style.width = "100%";
    host.append(canvas);
    shown.set(name, await vegaEmbed(canvas, {...spec, ...sized, datasets: {...spec.datasets, ...data}}, options));
  }

  function hideRows() {
    const wanted = chosen();
    let visible = 0, all = 0;
    for (const element of document.querySelectorAll("[data-setup]")) {
      const context = element.dataset.context;
      const figure = element.closest("figure");
      const inDetails = figure !== null && blob.charts[figure.id.replace("figure-", "")].all;
      const hide = !keeps(element.dataset, {...wanted, context: undefined}, false)
        || (context !== undefined && figure && !inDetails && wanted.context !== context);
      element.hidden = hide;
      if (element.matches("article")) { all += 1; visible += hide ? 0 : 1; }
    }
    for (const fold of document.querySelectorAll("details.group")) {
      const cards = [...fold.querySelectorAll("article[data-setup]")];
      fold.hidden = cards.length > 0 && cards.every((card) => card.hidden);
    }
    const active = filters.filter((f) => f.dataset.filter !== "context" && f.value);
    document.getElementById("filtered").textContent =
      active.length ? `filtered: ${visible} of ${all} cards` : "";
  }

  function chooseOne() {
    const wanted = chosen();
    const passing = new Set(rowsOf("cells").filter((row) => keeps(row, {...wanted, context: undefined}, false)).map((row) => row.setup));
    for (const select of ones) for (const option of select.options) option.hidden = option.disabled = !passing.has(details[option.value].setup);
    if (!one || !passing.has(one.setup)) one = details.find((each) => passing.has(each.setup)) ?? null;
    for (const select of ones) select.value = one ? String(details.indexOf(one)) : "";
  }

  async function drawAll(names) {
    for (const name of names) await draw(name);
    document.documentElement.dataset.drawn = String(Number(document.documentElement.dataset.drawn ?? 0) + 1);
  }

  const all = Object.keys(blob.charts);
  let queue = Promise.resolve();
  const redraw = (names) => { queue = queue.then(() => drawAll(names)); };

  for (const filter of filters) {
    filter.addEventListener("change", () => { hideRows(); chooseOne(); redraw(all); });
  }
  for (const select of ones) {
    select.addEventListener("change", () => {
      one = details[select.value];
      for (const other of ones) other.value = select.value;
      redraw(all.filter((name) => blob.charts[name].one));
    });
  }
  for (const fold of document.querySelectorAll("details.group")) {
    fold.addEventListener("toggle", () => {
      const names = [...fold.querySelectorAll("figure")].map((figure) => figure.id.replace("figure-", ""));
      if (fold.open && names.length) redraw(names);
    });
  }
  document.querySelector("form.filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });

  hideRows();
  chooseOne();
  redraw(all);
})();
