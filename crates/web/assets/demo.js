// The demo's own part of the page: one record as its owner sees it, and what each party holds of it.

import { make } from "./charts.js";

/** Grey levels, in hexadecimal, on a canvas. */
function picture(hex, width, caption, alt) {
  const height = Math.ceil(hex.length / 2 / width);
  const canvas = make("canvas", { width, height, role: "img", "aria-label": alt });
  const pixels = new ImageData(width, height);
  for (let i = 0; i * 2 < hex.length; i++) {
    const grey = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
    pixels.data.set([grey, grey, grey, 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return make("figure", {}, canvas, make("figcaption", {}, caption));
}

function holder(kind, title, text, pictures) {
  return make("div", { class: `holder ${kind}` }, make("h3", {}, title), make("p", {}, text), make("div", { class: "pictures" }, ...pictures));
}

/** Draws it; `pooled` shows what P0 and P2 have together in place of what each has. */
export function record(into, note, value, pooled) {
  const { width, owner, label, original, parties, pool, bits, numbers } = value;
  const what = label ? `“${label}”` : "a record";
  const owned = holder("owner", owner, `has ${what}, and splits it`, [picture(original, width, "x", `the record as ${owner} sees it: ${what}`)]);
  const cards = parties.map(({ id, holds, bytes, says }) => {
    const shown = holds.map(({ name, grey }) => picture(grey, width, name, `${name} at ${id}: noise`));
    if (!shown.length) shown.push(make("div", { class: "nothing" }, "nothing"));
    return holder(id.toLowerCase(), id, says, shown);
  });
  if (pooled) {
    const [first, second] = pool.by;
    for (const id of pool.by) {
      const card = cards[parties.findIndex((party) => party.id === id)];
      card.querySelector("p").textContent = `with ${id === first ? second : first}: ${pool.how}`;
      card.querySelector(".pictures").replaceChildren(picture(pool.grey, width, "x", `the record: ${what}, put together from what ${first} and ${second} hold`));
    }
  }
  into.replaceChildren(owned, make("div", { class: "arrow", "aria-hidden": "true" }, "→"), ...cards);
  note.textContent = pooled
    ? `Any two parties together have the record. They are run by three operators so that no two pool what they hold.`
    : `Each picture is ${numbers} words of 64 bits, and shows bits ${bits[0]} to ${bits[1]} of each as grey: where the owner's word has its grey level. ${value.why}`;
}

/** Where the run is. */
export function phases(list, { all, now }) {
  const at = all.indexOf(now);
  list.replaceChildren(...all.map((name, i) => {
    const item = make("li", {}, name);
    if (i < at || now === "done") item.className = "done";
    else if (i === at) item.setAttribute("aria-current", "step");
    return item;
  }));
}
