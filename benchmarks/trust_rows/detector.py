"""D1 to D4: telling our unlabelled pictures from filmed ones. There is no detector, and nobody to train one."""

from __future__ import annotations

from trust_rows.row import Row, without_subjects

_NONE = (
    "there is no detector; fifteen held-out subjects with consent would be needed to measure one, and there are none"
)

ROWS = (
    Row(
        "D1",
        "15 held-out subjects: AUC 0.95 lossless, 0.90 at crf 23, 0.80 at crf 40; lower end of the 95 % interval 0.85 "
        "at crf 23",
        without_subjects(_NONE),
    ),
    Row(
        "D2",
        "traps: identity pipeline against raw AUC at most 0.60; with shuffled labels the interval contains 0.5",
        without_subjects(_NONE),
    ),
    Row("D3", "on unmarked fakes an AUC within 0.03 of that on marked ones", without_subjects(_NONE)),
    Row("D4", "at 1 % false alarms on real clips a rate of 0.6 at crf 23, in the model card", without_subjects(_NONE)),
)
