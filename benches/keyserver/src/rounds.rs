//! Ours and the peer in turn.

use plastron_keyserver::proto::{LookupAnswer, Message as _};

use crate::cpu::{median, memory_mib, seconds, timed};
use crate::ours::Ours;
use crate::peer::Peer;
use crate::{Failure, Plan};

const ROUNDS: usize = 9;

pub(crate) type Results = Vec<(&'static str, f64)>;

/// Made when it is needed, so that names do not count as memory of what they are published with.
fn name(number: usize) -> String {
    format!("node/cluster-{}/{number}", number % 97)
}

pub(crate) async fn run(plan: &Plan, beside: bool) -> Result<Results, Failure> {
    let scratch = match &plan.scratch {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let mut ours = Ours::open(scratch.path(), plan.cache_bytes)?;
    let peer = if beside { Some(Peer::open().await?) } else { None };
    let (mut rates, mut peer_rates, mut ratios, mut signing) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (number, first) in (0..plan.names).step_by(plan.batch).enumerate() {
        let batch: Vec<String> = (first..plan.names).take(plan.batch).map(name).collect();
        let entries = ours.entries(&batch)?;
        let count = batch.len() as f64;
        let (published, time) = timed(|| ours.publish(entries.clone()));
        published?;
        rates.push(count / time);
        // They don't depend on how much there is already.
        if number % 4 == 0 {
            signing.push(signature_checks(&ours, &entries)? / count);
        }
        if let Some(peer) = &peer {
            let start = seconds();
            peer.publish(&batch).await?;
            let peer_time = seconds() - start;
            peer_rates.push(count / peer_time);
            ratios.push(peer_time / time);
        }
    }
    // What counts is a directory that is full, and the checks that the peer does not make are a part of it.
    let last = |values: &[f64]| values.iter().skip(values.len() / 2).copied().collect::<Vec<f64>>();
    let per_name = 1.0 / median(last(&rates));
    let checks = median(signing);
    let mut results: Results = vec![
        ("publish, names per CPU-second", 1.0 / per_name),
        ("  of which decoding and signatures, share", checks / per_name),
        ("  without them, names per CPU-second", 1.0 / (per_name - checks)),
    ];
    if beside {
        let peer_rate = median(last(&peer_rates));
        results.push(("akd publish, names per CPU-second", peer_rate));
        results.push(("publish, ratio", median(last(&ratios))));
        results.push(("publish without signatures, ratio", 1.0 / (per_name - checks) / peer_rate));
    }
    results.push(("memory, MiB", memory_mib("VmRSS")));
    results.push(("memory at most, MiB", memory_mib("VmHWM")));
    results.extend(lookups(plan, &ours, peer.as_ref()).await?);
    Ok(results)
}

/// Processor time of what is decoded and checked in those entries, by itself.
fn signature_checks(ours: &Ours, entries: &[bytes::Bytes]) -> Result<f64, Failure> {
    use plastron_keyserver::proto::LogEntry;
    let (checked, time) = timed(|| {
        for entry in entries {
            let LogEntry::Update(update) = LogEntry::from_bytes(entry)? else { return Err("no update".into()) };
            let policy = &ours.realm.policy.operators;
            plastron_keyserver::check_change(&ours.realm.id(), policy, None, &update.signed)
                .map_err(|refusal| refusal.to_string())?;
        }
        Ok::<(), Failure>(())
    });
    checked?;
    Ok(time)
}

async fn lookups(plan: &Plan, ours: &Ours, peer: Option<&Peer>) -> Result<Results, Failure> {
    let (mut proved, mut peer_proved, mut prove_ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut verified, mut peer_verified, mut verify_ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = Vec::new();
    let count = plan.lookups as f64;
    for round in 0..ROUNDS {
        // Spread over all, another part each round.
        let picked: Vec<String> =
            (0..plan.lookups).map(|number| name((number * 7_919 + round * 104_729) % plan.names)).collect();
        let (answers, prove_time) =
            timed(|| picked.iter().map(|name| ours.prove(name)).collect::<Result<Vec<_>, Failure>>());
        let answers = answers?;
        let (checked, verify_time) = timed(|| {
            picked.iter().zip(&answers).try_for_each(|(name, answer)| {
                let found = ours.verify(name, answer)?.found;
                found.map(drop).ok_or_else(|| Failure::from("a name is missing"))
            })
        });
        checked?;
        proved.push(count / prove_time);
        verified.push(count / verify_time);
        for answer in &answers {
            let signatures = LookupAnswer::from_bytes(answer)?.head.signatures.len();
            bytes.push((answer.len() - signatures * 96) as f64);
        }
        let Some(peer) = peer else { continue };
        let start = seconds();
        let mut proofs = Vec::new();
        for name in &picked {
            proofs.push(peer.prove(name).await?);
        }
        let peer_prove_time = seconds() - start;
        let (checked, peer_verify_time) = timed(|| {
            let mut pairs = picked.iter().zip(proofs);
            pairs.try_for_each(|(name, (proof, head))| peer.verify(name, proof, &head))
        });
        checked?;
        peer_proved.push(count / peer_prove_time);
        peer_verified.push(count / peer_verify_time);
        prove_ratios.push(peer_prove_time / prove_time);
        verify_ratios.push(peer_verify_time / verify_time);
    }
    let mut results = vec![
        ("lookups proved per CPU-second", median(proved)),
        ("lookups verified per CPU-second", median(verified)),
        ("answer without signatures, bytes", median(bytes)),
    ];
    if peer.is_some() {
        results.extend([
            ("akd lookups proved per CPU-second", median(peer_proved)),
            ("akd lookups verified per CPU-second", median(peer_verified)),
            ("lookups proved, ratio", median(prove_ratios)),
            ("lookups verified, ratio", median(verify_ratios)),
        ]);
    }
    Ok(results)
}
