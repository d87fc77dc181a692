/** The style of the status page: light and dark by the system's setting, one column on a phone. */
export const STYLE = `
:root{color-scheme:light dark;
--page:light-dark(#fff,#131519);--box:light-dark(#f3f1ec,#1b1e24);--line:light-dark(#e3e1dc,#2e333c);
--text:light-dark(#1d1f24,#e8e9ec);--quiet:light-dark(#5c6069,#a7acb7);
--good:light-dark(#17693f,#74d9a3);--good-bg:light-dark(#e4f3ea,#16301f);
--warn:light-dark(#7a4d00,#f2c063);--warn-bg:light-dark(#fbefd9,#33270f);
--bad:light-dark(#a3241c,#ff9d94);--bad-bg:light-dark(#fbe6e4,#3a1916);
--idle:light-dark(#4a5160,#b9c0cc);--idle-bg:light-dark(#eceef1,#262b33)}
body{max-width:76rem;margin:0 auto;padding:1rem 1.25rem;background:var(--page);color:var(--text);font:15px/1.5 system-ui,"Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:break-word}
h1{font-size:1.5rem;margin:0 0 .25rem}
h2{font-size:1.1rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:0}
p{margin:.35rem 0}
.quiet{color:var(--quiet);white-space:nowrap}
.tag{display:inline-block;padding:.05rem .5rem;border-radius:5px;font-size:.9em;font-weight:600;color:var(--idle);background:var(--idle-bg)}
.ready{color:var(--good);background:var(--good-bg)}
.degraded{color:var(--warn);background:var(--warn-bg)}
.failing{color:var(--bad);background:var(--bad-bg)}
#exchanges .failing,#failedRequests .failing{color:var(--idle);background:var(--idle-bg)}
dl{display:flex;flex-wrap:wrap;gap:.35rem 2rem;margin:.5rem 0}
dt,th[scope=col]{color:var(--quiet);font-size:.85rem;font-weight:400}
dd{margin:0}
.problem{margin:.75rem 0;padding:.75rem 1rem;border-left:4px solid;background:var(--box)}
p.problem{white-space:pre-line}
.problem>:not(.tag){color:var(--text)}
td dl{flex-direction:column;margin:0}
code{user-select:all}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;vertical-align:top;padding:.4rem .8rem .4rem 0;border-top:1px solid var(--line)}
th[scope=col]{border:0}
th{font-weight:500}
summary{cursor:pointer}
summary h2{display:inline-block}
@media (min-width:52rem){
@supports selector(details::details-content){
details::details-content{content-visibility:visible}
summary{list-style:none;pointer-events:none}
}
}
@media (max-width:52rem){
summary h2{margin:.5rem 0}
tr:first-child{position:absolute;width:1px;height:1px;overflow:hidden;white-space:nowrap;clip-path:inset(50%)}
table,tbody,tr,th,td{display:block}
tr{padding:.4rem 0;border-top:1px solid var(--line)}
th,td{border:0;padding:0}
td::before{content:attr(data-label) " ";color:var(--quiet);font-size:.85rem}
}
`
