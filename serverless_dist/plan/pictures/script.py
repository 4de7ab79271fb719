"""The script of a page: it hands each figure to plotly."""

SCRIPT = r"""
"use strict";

// Cells arrive as bytes in base64, of one or two bytes a cell.
function rowsOf(z) {
  const bytes = Uint8Array.from(atob(z.bdata), (letter) => letter.charCodeAt(0));
  const cells = z.dtype === "u2" ? new Uint16Array(bytes.buffer) : bytes;
  const [height, width] = z.shape.split(",").map(Number);
  return Array.from({ length: height }, (_, row) =>
    cells.subarray(row * width, (row + 1) * width));
}

// The text of a cell is what its number stands for.
function textsOf(rows, labels) {
  return rows.map((row) => Array.from(row, (cell) => labels[cell] ?? ""));
}

// Along time, it is also from when to when neighbours are the same.
function spansOf(rows, { labels, start, step }) {
  const time = (column) => (start + column * step).toFixed(step < 0.01 ? 4 : 2);
  return rows.map((row) => {
    const texts = new Array(row.length);
    for (let first = 0, column = 1; column <= row.length; column += 1) {
      if (column < row.length && row[column] === row[first]) continue;
      const name = labels[row[first]] ?? "nothing";
      texts.fill(`${name}<br>${time(first)} to ${time(column)} s`, first, column);
      first = column;
    }
    return texts;
  });
}

function prepare(trace) {
  if (trace.type !== "heatmap" || !trace.meta) return;
  trace.z = rowsOf(trace.z);
  trace.text = trace.meta.step === undefined
    ? textsOf(trace.z, trace.meta.labels)
    : spansOf(trace.z, trace.meta);
}

for (const holder of document.querySelectorAll("script[data-drawing]")) {
  const { data, layout } = JSON.parse(holder.textContent);
  data.forEach(prepare);
  Plotly.newPlot(holder.dataset.drawing, data, layout, {
    responsive: true,
    displaylogo: false,
    // Plotly would offer to upload the drawing.
    showSendToCloud: false,
    plotlyServerURL: "",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  });
}
"""
