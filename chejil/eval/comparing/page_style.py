"""The page's CSS: colours are half transparent, so they stand on light ground as on dark."""

from chejil.curation.exploring import marked_text

STYLE = (
    marked_text.STYLE
    + """<style>
.cj-title { font-size: 1.5rem; margin: 0; padding: 0; }
.cj-side { font-size: 1rem; margin: .6rem 0 0; padding: 0; }
.cj-name { font-size: 1.05rem; margin: 0 0 .4rem; padding: 0; overflow-wrap: anywhere; unicode-bidi: isolate; }
.cj-answer .cj-text { max-height: 32rem; min-height: 6rem; }
.cj-asked { white-space: pre-wrap; overflow-wrap: anywhere; word-break: keep-all; margin: 0; max-height: 12rem; overflow-y: auto; }
.cj-foot { font-size: .85rem; margin: .3rem 0 0; min-height: 1.3em; }
.cj-won { background: rgba(30,160,70,.22); border-radius: .4rem; padding: .05rem .5rem; font-size: .85rem; white-space: nowrap; }
.cj-voted { font-weight: 600; margin: 0; overflow-wrap: anywhere; }
.cj-wide { overflow-x: auto; }
.cj-wins { border-collapse: collapse; font-size: .9rem; margin: .2rem 0 .8rem; }
.cj-wins th, .cj-wins td { padding: .3rem .7rem; border-bottom: 1px solid rgba(128,128,128,.35); text-align: right;
  font-variant-numeric: tabular-nums; vertical-align: middle; white-space: nowrap; }
.cj-wins .cj-word { text-align: left; white-space: normal; overflow-wrap: anywhere; word-break: keep-all; min-width: 6rem; }
.cj-wins caption { text-align: left; caption-side: top; padding: .2rem 0; font-weight: 600; }
.cj-bar { position: relative; width: 9rem; height: .9rem; background: linear-gradient(90deg, transparent 49.5%,
  rgba(128,128,128,.9) 49.5%, rgba(128,128,128,.9) 50.5%, transparent 50.5%) rgba(128,128,128,.15); border-radius: .2rem; }
.cj-bar i { position: absolute; top: .3rem; height: .3rem; background: rgba(50,110,220,.75); border-radius: .15rem; min-width: 2px; }
.cj-bar b { position: absolute; top: 0; height: .9rem; width: .25rem; margin-left: -.12rem; background: rgb(50,110,220); }
</style>"""
)
