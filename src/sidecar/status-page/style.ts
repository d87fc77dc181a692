/** The style of the status page: light and dark by the system's setting, one column on a phone. */
export const STYLE = `
:root{color-scheme:light dark;
--page:#fff;--box:#f3f1ec;--line:#e3e1dc;--text:#1d1f24;--quiet:#5c6069;--link:#1f5fae;
--good:#17693f;--good-bg:#e4f3ea;--warn:#7a4d00;--warn-bg:#fbefd9;--bad:#a3241c;--bad-bg:#fbe6e4;--idle:#4a5160;--idle-bg:#eceef1}
@media (prefers-color-scheme:dark){:root{
--page:#131519;--box:#1b1e24;--line:#2e333c;--text:#e8e9ec;--quiet:#a7acb7;--link:#8ab8f2;
--good:#74d9a3;--good-bg:#16301f;--warn:#f2c063;--warn-bg:#33270f;--bad:#ff9d94;--bad-bg:#3a1916;--idle:#b9c0cc;--idle-bg:#262b33}}
*{box-sizing:border-box}
body{max-width:76rem;margin:0 auto;padding:1rem 1.25rem;background:var(--page);color:var(--text);font:15px/1.5 system-ui,"Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:1.5rem;margin:0 0 .25rem}
h2{font-size:1.1rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:0}
p{margin:.35rem 0}
a{color:var(--link)}
button{font:inherit;font-size:.85rem;color:inherit;background:var(--page);border:1px solid var(--quiet);border-radius:6px;cursor:pointer}
.quiet,dt,thead th{color:var(--quiet)}
time .quiet{white-space:nowrap}
.tag{display:inline-block;padding:.05rem .5rem;border-radius:5px;font-size:.9em;font-weight:600;color:var(--idle);background:var(--idle-bg)}
.ready{color:var(--good);background:var(--good-bg)}
.degraded{color:var(--warn);background:var(--warn-bg)}
.failing{color:var(--bad);background:var(--bad-bg)}
.lost main{filter:grayscale(1)}
dl{display:flex;flex-wrap:wrap;gap:.35rem 2rem;margin:.5rem 0}
dt,thead th{font-size:.85rem;font-weight:400}
dd{margin:0}
.problem{margin:.75rem 0;padding:.75rem 1rem;border-left:4px solid;background:var(--box)}
p.problem{white-space:pre-line}
.problem>*{color:var(--text)}
.problem .quiet,.problem dt{color:var(--quiet)}
td dl{flex-direction:column;margin:0}
.problem:target{outline:2px solid var(--link)}
.command{display:flex;align-items:flex-start;justify-content:space-between;gap:.75rem;margin:.35rem 0;padding:.5rem .75rem;background:var(--page);border:1px solid var(--line)}
pre{min-width:0;margin:0;white-space:pre-wrap;overflow-wrap:anywhere}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;vertical-align:top;padding:.4rem .8rem .4rem 0;border-top:1px solid var(--line)}
thead th{border:0}
tbody th{font-weight:500}
h1,h3,p,dd,th,td{overflow-wrap:break-word}
@media (max-width:52rem){
.command{flex-direction:column}
thead{position:absolute;width:1px;height:1px;overflow:hidden;white-space:nowrap;clip-path:inset(50%)}
table,tbody,tr,th,td{display:block}
tr{padding:.4rem 0;border-top:1px solid var(--line)}
th,td{border:0;padding:0}
td::before{content:attr(data-label) " ";color:var(--quiet);font-size:.85rem}
}
@media print,(scripting:none){button{display:none}}
`
