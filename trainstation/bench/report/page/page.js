"use strict";

// Sorting: each heading becomes a button. Numbers as numbers; what has none, a miss, stays last both ways.
function key(row, column) {
  const cell = row.cells[column];
  if (!cell.classList.contains("number")) return cell.textContent.trim();
  return cell.dataset.v === undefined ? NaN : Number(cell.dataset.v);
}

function compare(one, two, sign) {
  if (typeof one === "string" || typeof two === "string") {
    return sign * String(one).localeCompare(String(two), "en", { numeric: true });
  }
  if (isNaN(one) || isNaN(two)) return isNaN(one) - isNaN(two);
  return sign * (one - two);
}

function sort(heading) {
  const body = heading.closest("table").tBodies[0];
  const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const rows = [...body.rows].map((row) => [key(row, heading.cellIndex), row]);
  rows.sort((one, two) => compare(one[0], two[0], sign));
  body.append(...rows.map((each) => each[1]));
  for (const other of heading.parentNode.cells) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
}

for (const heading of document.querySelectorAll("table.sortable thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...heading.childNodes);
  heading.append(button);
  heading.setAttribute("aria-sort", "none");
  button.addEventListener("click", () => sort(heading));
}

// The check boxes toggle by the style sheet alone; without this script all begin checked.
const legend = document.querySelector(".legend fieldset");
if (legend) {
  const boxes = [...legend.querySelectorAll("input")];
  const choose = (wanted) => boxes.forEach((box) => { box.checked = wanted(box); });
  for (const [label, wanted] of [
    ["the best", (box) => "first" in box.dataset],
    ["all", () => true],
    ["none", () => false],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.setAttribute("aria-label", `Show ${label} in all figures`);
    button.addEventListener("click", () => choose(wanted));
    legend.append(button);
  }
  choose((box) => "first" in box.dataset);
}

// What is folded is printed, too.
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details")) each.open = true;
});
