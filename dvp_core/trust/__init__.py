"""Labels, consent and verification: the one writer of outputs, and the one reader that judges them."""

from dvp_core.trust.consent import (
    ConsentRecord,
    ConsentTerms,
    is_signer_known,
    new_consent,
    read_consent,
    write_consent,
)
from dvp_core.trust.consent_gate import ConsentRefusedError, Work, admit
from dvp_core.trust.keys import keys_status, watermark_key
from dvp_core.trust.label import Label
from dvp_core.trust.ledger import LedgerEntry, enter, ledger_path, read_ledger
from dvp_core.trust.publish import (
    PublishedMovie,
    publish_frame,
    publish_frame_list,
    publish_layers,
    publish_movie,
    publish_still,
    read_frame_key,
)
from dvp_core.trust.revocation import Revocation, revocation_of, revoke
from dvp_core.trust.verdict import EXIT_CODES, Verdict
from dvp_core.trust.verify import verify
from dvp_core.trust.watermark import Mark, mark_id
from dvp_core.trust.watermark_reader import MarkReading, MarkSearch

__all__ = [
    "EXIT_CODES",
    "ConsentRecord",
    "ConsentRefusedError",
    "ConsentTerms",
    "Label",
    "LedgerEntry",
    "Mark",
    "MarkReading",
    "MarkSearch",
    "PublishedMovie",
    "Revocation",
    "Verdict",
    "Work",
    "admit",
    "enter",
    "is_signer_known",
    "keys_status",
    "ledger_path",
    "mark_id",
    "new_consent",
    "publish_frame",
    "publish_frame_list",
    "publish_layers",
    "publish_movie",
    "publish_still",
    "read_consent",
    "read_frame_key",
    "read_ledger",
    "revocation_of",
    "revoke",
    "verify",
    "watermark_key",
    "write_consent",
]
