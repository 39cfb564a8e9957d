"""Labels as an attacker, a careless user or a broken clock would leave them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
from c2pa import Builder, C2paSignerInfo, C2paSigningAlg, Context, Signer

from dvp_core.trust.keys import SigningKeys, make_local_chain

_MIMES = {".png": "image/png", ".mp4": "video/mp4", ".mov": "video/quicktime"}
_DAY_S = 86_400


def sign_as(
    source: Path,
    target: Path,
    keys: SigningKeys,
    *,
    source_type: str,
    tool: str = "Stranger",
    remote_url: str | None = None,
) -> Path:
    """Label a file with any claim and any keys; with a remote URL the label itself is left out."""
    action = {"action": "c2pa.created", "digitalSourceType": source_type}
    manifest = {
        "claim_generator_info": [{"name": tool, "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    context = Context.from_dict({"builder": {"thumbnail": {"enabled": False}}})
    signer = Signer.from_info(C2paSignerInfo(C2paSigningAlg.ES256, keys.chain_pem, keys.key_pem, None))
    builder = Builder(manifest, context=context)
    if remote_url is not None:
        builder.set_no_embed()
        builder.set_remote_url(remote_url)
    with source.open("rb") as content, target.open("w+b") as output:
        builder.sign(signer, _MIMES[source.suffix], content, output)
    return target


def soon_expiring_chain(*, seconds: float) -> SigningKeys:
    """Return keys whose certificates end in a moment."""
    begin = datetime.now(UTC) - timedelta(days=1)
    return make_local_chain(now=begin, validity_days=1 + seconds / _DAY_S)


def remux(source: Path, target: Path) -> Path:
    """Copy the pictures' packets of a movie into another container, as any tool does."""
    with av.open(str(source)) as movie, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(movie.streams.video[0])
        for packet in movie.demux(movie.streams.video[0]):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    return target
