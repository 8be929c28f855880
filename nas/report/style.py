"""The look of the report: one style sheet, light, for phones and desks."""

from __future__ import annotations

STYLE_SHEET = """
:root{--ink:#1b2a41;--muted:#5f6f84;--line:#e3e8ef;--paper:#f5f7fa;--card:#fff;--accent:#2f7fb8;
--good:#1f8a5b;--bad:#c8403a;--amber:#8a5a00}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,
"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:32px 20px 56px}
header p{margin:0;color:var(--muted)}
.brand{font-size:13px;letter-spacing:.08em;text-transform:uppercase;font-weight:600;
color:var(--accent)!important}
h1{font-size:clamp(24px,4vw,34px);line-height:1.2;margin:4px 0 4px;letter-spacing:-.015em;
overflow-wrap:anywhere}
h2{font-size:21px;letter-spacing:-.01em;margin:0 0 4px}
h3{font-size:15px;margin:0 0 6px}
section,.hero{background:var(--card);border:1px solid var(--line);border-radius:16px;
padding:26px 28px;margin-top:20px;box-shadow:0 1px 2px rgba(27,42,65,.04)}
.lead{color:var(--muted);margin:0 0 18px;max-width:72ch}
.hero{padding:30px 32px}
.verdict{display:inline-flex;align-items:center;gap:9px;font-weight:650;font-size:17px;
border-radius:999px;padding:6px 16px 6px 12px;margin-bottom:22px;background:#eaf1f8;
color:var(--accent)}
.verdict::before{content:"";width:11px;height:11px;border-radius:50%;background:currentColor;
flex:none}
.verdict.met{background:#e5f4ec;color:var(--good)}
.verdict.missed{background:#fbeae8;color:var(--bad)}
.verdict.unsure{background:#fdf3dc;color:var(--amber)}
.why{margin:-8px 0 20px;color:var(--ink);max-width:80ch;overflow-wrap:anywhere}
.seen{margin:16px 0 0;color:var(--muted);font-size:14.5px}
.figures{display:grid;grid-template-columns:repeat(3,1fr);gap:12px 28px}
.figures>div+div{border-left:1px solid var(--line);padding-left:28px}
.figures dt,.facts dt{color:var(--muted);font-size:14px}
.figures dd{margin:0;font-size:clamp(32px,6vw,58px);line-height:1.1;font-weight:680;
letter-spacing:-.03em;white-space:nowrap}
.figures dd small{font-size:.38em;font-weight:550;letter-spacing:0;color:var(--muted);
margin-left:.25em}
.figures .main dd{color:var(--accent)}
.figures .main.met dd{color:var(--good)}
.figures .main.missed dd{color:var(--bad)}
.figures .main.unsure dd{color:var(--amber)}
.figures p{margin:2px 0 0;color:var(--muted);font-size:14px}
.bars{margin:28px 0 4px;display:grid;gap:9px;position:relative}
.bar{display:grid;grid-template-columns:150px 1fr 84px;align-items:center;gap:14px;font-size:14px}
.bar .track{height:14px;background:#eef2f6;border-radius:7px;position:relative}
.bar .fill{display:block;height:100%;border-radius:7px;background:#b4c0cf;min-width:3px}
.bar.own .fill{background:var(--accent)}
.bar.own.met .fill{background:var(--good)}
.bar.own.missed .fill{background:var(--bad)}
.bar.own.unsure .fill{background:#c99a3c}
.bar.own{font-weight:600}
.bar .mark{position:absolute;top:-5px;bottom:-5px;width:2px;background:var(--ink)}
.bar>b{text-align:right;font-weight:inherit;white-space:nowrap}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(112px,1fr));gap:14px 20px;
margin:24px 0 0;padding-top:20px;border-top:1px solid var(--line)}
.facts dd{margin:0;font-size:21px;font-weight:620;letter-spacing:-.01em}
.facts dd small{display:block;font-size:13px;font-weight:400;color:var(--muted);letter-spacing:0}
.note{border-left:4px solid #e6b450;background:#fff8e8;border-radius:0 12px 12px 0;
padding:12px 18px;margin-top:20px;color:#553a00}
.note ul{margin:4px 0 0;padding-left:20px}
.note li{overflow-wrap:anywhere}
.note code{background:rgba(27,42,65,.07);border-radius:5px;padding:1px 5px}
.note.plain{border-color:#a9bdd3;background:#eef3f9;color:var(--ink)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));
gap:22px 30px}
figure{margin:0;min-width:0}
figure img{width:100%;height:auto;display:block}
figcaption{font-size:13.5px;color:var(--muted);margin-top:4px}
.network{display:flex;flex-wrap:wrap;gap:12px;align-items:stretch;margin:0 0 14px}
.stage{background:#f7f9fb;border:1px solid var(--line);border-radius:12px;padding:10px 12px 8px;
display:flex;flex-direction:column;max-width:100%;flex-grow:1}
.box.image{width:44px;height:52px;background:#fff;border:2px solid #b9c4d1;color:var(--muted)}
.where{font-size:12.5px;color:var(--muted);margin-bottom:10px;white-space:nowrap}
.blocks{display:flex;flex-wrap:wrap;gap:10px 6px;align-items:flex-end;justify-content:center;
margin-top:auto}
.block{width:56px;display:flex;flex-direction:column;align-items:center;font-size:11.5px;
color:var(--muted);text-align:center}
.box{display:flex;align-items:center;justify-content:center;border-radius:7px;color:#fff;
font-weight:650;font-size:12px;line-height:1.15;padding:2px}
.box.hollow{width:44px;height:41px;border:2px dashed #b9c4d1;color:#8492a4;font-weight:500;
background:none}
.unit{display:flex;flex-direction:column;align-items:stretch;font-size:11.5px;text-align:center}
.width{margin-top:4px}
.time{height:26px;width:100%;padding:0 6px;color:var(--ink)}
.time i{display:block;height:4px;border-radius:2px;background:#e3e9f0;margin:3px 0 1px}
.time b{display:block;height:4px;border-radius:2px;background:var(--ink)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:6px 18px;padding:0;margin:0 0 14px;
font-size:13.5px;color:var(--muted)}
.legend i{display:inline-block;width:13px;height:13px;border-radius:4px;margin-right:6px;
vertical-align:-2px}
.gates{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:16px 18px}
.gate svg{width:100%;height:72px;display:block;border-radius:8px;background:#eef2f6}
.gate figcaption{font-size:12.5px}
.gate span{display:block;font-size:12.5px}
.gate figcaption+svg{margin-top:6px}
.facet{margin:0 0 2px;font-size:12.5px;color:var(--ink)}
.gate b{color:var(--ink)}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;width:100%;font-size:14.5px}
th{font-weight:550;color:var(--muted);font-size:13px;text-align:right;vertical-align:bottom;
border-bottom:1px solid #cfd7e1;padding:6px 10px}
td{text-align:right;padding:8px 10px;border-bottom:1px solid var(--line);white-space:nowrap}
.compare th,.compare td{padding-left:6px;padding-right:6px}
th:first-child,td:first-child{text-align:left;padding-left:0}
.layers th:nth-child(-n+3),.layers td:nth-child(-n+3){text-align:left}
td small{color:var(--muted);display:block;font-size:12px}
tr.own td{font-weight:650;background:#f2f8f5}
tr.own td:first-child{padding-left:10px;border-radius:8px 0 0 8px}
tr.total td{font-weight:650;border-bottom:0}
tr:last-child td{border-bottom:0}
.gap{margin-top:26px}
h2+.charts,h2+pre,h2+.pairs,h2+.columns{margin-top:14px}
.aside{font-size:14.5px}
.aside p{margin:0 0 10px}
.aside .pairs{margin-bottom:12px}
details{margin-top:6px}
summary{cursor:pointer;color:var(--accent);font-weight:550}
pre,code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{background:#f2f5f8;border-radius:10px;padding:12px 14px;margin:8px 0 16px;
white-space:pre-wrap;overflow-wrap:anywhere}
.pairs{display:grid;grid-template-columns:max-content 1fr;gap:5px 20px;margin:0;font-size:14.5px}
.pairs dt{color:var(--muted)}
.pairs dd{margin:0;overflow-wrap:anywhere}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));
gap:26px 40px}
footer{color:var(--muted);font-size:13.5px;margin-top:26px}
@media(max-width:700px){
main{padding:20px 12px 40px}
section,.hero{padding:20px 16px;border-radius:14px}
.figures{grid-template-columns:1fr;gap:14px}
.figures>div+div{border-left:0;padding-left:0;border-top:1px solid var(--line);padding-top:14px}
.figures dd{font-size:44px}
.bar{grid-template-columns:1fr auto;gap:3px 10px}
.bar .track{grid-column:1/-1;grid-row:2}
.compare thead{display:none}
.compare tr{display:block;padding:10px 12px;border:1px solid var(--line);border-radius:12px;
margin-bottom:10px}
.compare td,.compare tr.own td{display:flex;justify-content:space-between;gap:16px;border:0;
padding:2px 0;background:none}
.compare tr.own{background:#f2f8f5}
.compare td:first-child{font-weight:650;padding-bottom:4px}
.compare td[data-label]::before{content:attr(data-label);color:var(--muted);font-weight:400}
.compare td small{display:inline;margin-left:6px}
.compare td.none,.compare tr.own td.none{display:none}
.pairs{grid-template-columns:minmax(0,42%) 1fr;gap:5px 12px}
}
@media print{body{background:#fff}section,.hero{box-shadow:none;break-inside:avoid}}
"""
