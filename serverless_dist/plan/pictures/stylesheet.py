"""How a page looks: fonts of the system, one column, readable from 800 pixels on."""

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 2rem 3rem; max-width: 1320px;
  font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff;
}
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 .25rem; font-size: 1.2rem; }
h3 { margin: 1.25rem 0 .25rem; font-size: 1rem; }
p { margin: 0 0 .5rem; max-width: 60rem; color: #444; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin-top: .25rem; }
a { color: #00568a; }
section { margin-top: 1.5rem; padding-top: 1.25rem; border-top: 1px solid #ddd; }
.drawing { width: 100%; }
#traffic .drawing { max-width: 840px; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr));
  gap: .75rem; margin: .5rem 0 0;
}
.figures div { padding: .5rem .75rem; background: #f5f6f7; border-radius: 6px; }
.figures dt { font-size: .8rem; color: #555; }
.figures dd {
  margin: 0; font-size: 1.2rem; font-weight: 600; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums;
}
.figures small { display: block; font-weight: 400; font-size: .8rem; color: #555; }
.wide { overflow-x: auto; margin-top: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; }
th, td { padding: .35rem .6rem; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #999; white-space: nowrap; }
td { border-bottom: 1px solid #e5e5e5; overflow-wrap: break-word; }
td small { display: block; font-size: inherit; color: #555; }
td.number, th.number {
  text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums;
}
tr.best td { background: #eaf3fa; }
tr.out td { color: #666; background: #fafafa; }
.mark {
  display: inline-block; padding: 0 .5rem; margin-left: .4rem;
  border-radius: 1rem; font-size: .75rem; font-weight: 600;
  color: #fff; background: #00568a; white-space: nowrap;
}
@media (max-width: 900px) {
  body { padding: 1rem 1rem 2rem; }
  th, td { padding: .35rem; }
}
"""
