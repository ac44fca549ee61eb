"use strict";
// Replaces the parts of the page as the bridge sends them, and says so when it no longer does.
const SILENT_MILLISECONDS = 5000;
const live = document.getElementById("live");
let heard = Date.now();

const events = new EventSource("events");
events.onmessage = (event) => {
  heard = Date.now();
  for (const [id, html] of Object.entries(JSON.parse(event.data))) {
    const part = document.getElementById(id);
    if (part === null) return location.reload(); // another process answers, with other streams
    const template = document.createElement("template");
    template.innerHTML = html;
    part.replaceWith(template.content);
  }
};
setInterval(() => {
  const silent = Date.now() - heard > SILENT_MILLISECONDS;
  const said = silent
    ? `■ Not live: no word from the bridge since ${new Date(heard).toISOString().slice(11, 19)} UTC. What you see is old.`
    : "";
  if (live.textContent !== said) live.textContent = said;
  if (silent && events.readyState === EventSource.CLOSED) location.reload(); // refused: too many look already
}, 1000);
