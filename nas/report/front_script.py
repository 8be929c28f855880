"""What front.html adds to the look of a report, and its one small program."""

from __future__ import annotations

FRONT_STYLE = """
.chart{width:100%;height:auto;display:block;margin-top:6px}
.chart .grid{stroke:#e6eaf0;stroke-width:1}
.chart .tick{font-size:12.5px;fill:#66758a}
.chart .axis{font-size:13.5px;fill:#66758a}
.chart .name{font-size:12px;fill:var(--ink)}
.chart .frontline{fill:none;stroke:var(--good);stroke-width:2;opacity:.55}
.mark{cursor:pointer;color:#98a4b5}
.mark.front{color:var(--good)}
.mark.cannot-tell{color:#e08a1e}
.mark .dot{fill:currentColor;stroke:#fff;stroke-width:1.5}
.mark .aim{fill:currentColor;opacity:0}
.mark .reach{stroke:currentColor;stroke-width:1.4;opacity:.65}
.mark:hover .aim,.mark:focus .aim,.mark.shown .aim{opacity:.2}
.mark:focus{outline:none}
.net{display:none;border-top:1px solid var(--line);margin-top:18px;padding-top:18px}
.net:target,.net.shown{display:block}
.net h3{font-size:19px}
.net .facts{border:0;padding:0;margin:10px 0 0}
.net .says{margin:14px 0 6px;max-width:90ch;color:var(--muted)}
.chip{font-size:13px;font-weight:550;border-radius:999px;padding:2px 11px;background:#eef2f6;
color:var(--muted);vertical-align:2px;margin-left:6px;white-space:nowrap}
.chip.front{background:#e5f4ec;color:var(--good)}
.chip.cannot-tell{background:#fdf3dc;color:var(--amber)}
.links{display:flex;flex-wrap:wrap;gap:8px;margin:12px 0}
.links a{border:1px solid var(--line);border-radius:9px;padding:4px 12px;color:var(--accent);
text-decoration:none;background:#f7f9fb}
.links a:hover,.links a:focus{border-color:var(--accent)}
.links a:first-child{background:var(--accent);color:#fff;border-color:var(--accent)}
td a{color:var(--accent)}
th button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer}
th button:hover{color:var(--accent)}
th[aria-sort=ascending] button::after{content:" \\25b4"}
th[aria-sort=descending] button::after{content:" \\25be"}
#all th:nth-child(2),#all td:nth-child(2){text-align:left}
#all tr.shown td{background:#eaf1f8}
.copy{font:inherit;font-size:14px;border:1px solid var(--line);border-radius:9px;padding:4px 14px;
background:#f7f9fb;color:var(--accent);cursor:pointer;margin-top:8px}
@media(max-width:700px){.chart{width:640px}}
pre.table{white-space:pre;overflow-x:auto;tab-size:14}
"""

# No library, no request: it shows what is there already, sorts rows and copies text.
SCRIPT = """
(function () {
  "use strict";
  var all = function (what) { return Array.prototype.slice.call(document.querySelectorAll(what)); };
  var nets = all(".net"), marks = all(".mark"), rows = all("#all tbody tr");
  var kept = null;
  function show(id) {
    nets.forEach(function (one) { one.classList.toggle("shown", one.id === id); });
    marks.forEach(function (one) {
      one.classList.toggle("shown", one.getAttribute("href") === "#" + id);
    });
    rows.forEach(function (one) { one.classList.toggle("shown", one.dataset.network === id); });
  }
  function watch(one, id) {
    one.addEventListener("mouseenter", function () { show(id); });
    one.addEventListener("mouseleave", function () { show(kept); });
    one.addEventListener("focusin", function () { show(id); });
    one.addEventListener("click", function (event) {
      kept = id;
      show(id);
      if (one.tagName.toLowerCase() === "a") { event.preventDefault(); }
    });
  }
  marks.forEach(function (one) { watch(one, one.getAttribute("href").slice(1)); });
  rows.forEach(function (one) { watch(one, one.dataset.network); });
  var asked = location.hash.slice(1), onFront = all(".mark.front");
  kept = nets.some(function (one) { return one.id === asked; }) ? asked
    : onFront.length ? onFront[onFront.length - 1].getAttribute("href").slice(1) : null;
  show(kept);

  all("#all th button").forEach(function (button, column) {
    button.addEventListener("click", function () {
      var head = button.parentNode, body = document.querySelector("#all tbody");
      var down = head.getAttribute("aria-sort") === "ascending";
      all("#all th").forEach(function (one) { one.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      var value = function (row) { return row.cells[column].dataset.value; };
      rows.slice().sort(function (a, b) {
        var x = value(a), y = value(b), order;
        if (x === "" || y === "") { return (x === "") - (y === ""); }
        order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return down ? -order : order;
      }).forEach(function (row) { body.appendChild(row); });
    });
  });

  function select(element) {
    var range = document.createRange();
    range.selectNodeContents(element);
    var selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }
  all(".copy").forEach(function (button) {
    var words = button.textContent;
    button.addEventListener("click", function () {
      var source = document.getElementById(button.dataset.copy);
      select(source);
      var done = function () {
        button.textContent = "Copied";
        setTimeout(function () { button.textContent = words; }, 1500);
      };
      if (navigator.clipboard) {
        navigator.clipboard.writeText(source.textContent).then(done, function () {});
      } else if (document.execCommand("copy")) { done(); }
    });
  });
}());
"""
