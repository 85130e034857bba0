//! Who has a vote, and what they say together.

use crate::checkpoint_store::Content;
use crate::error::Fault;
use crate::quorum::instance::View;
use crate::value::{Members, Stamp};

/// What the answers of some instances amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not enough have answered.
    Open,
    /// All have answered, and none ever had a value: they are the members from now on.
    Virgin(Members),
    /// A majority of the members has answered; this is the highest value that anybody has.
    Highest {
        stamp: Stamp,
        content: Content,
        members: Members,
        /// Members that have it.
        holders: usize,
    },
}

/// Looks at the answers of `total` instances.
///
/// # Errors
/// `Invalid` if the instances are no group that a quorum client made.
pub(super) fn judge(views: &[View], total: usize) -> Result<Verdict, Fault> {
    for (number, view) in views.iter().enumerate() {
        if views.iter().take(number).any(|other| other.id == view.id) {
            return Err(Fault::Invalid(format!(
                "two of the URLs lead to the same instance, {}; give each instance once",
                view.id
            )));
        }
    }
    let highest = views.iter().filter_map(|view| Some((view.stamp?, view))).max_by_key(|(stamp, _)| *stamp);
    let Some((stamp, found)) = highest else {
        if views.iter().any(|view| view.content != Content::Nothing) {
            let what = "an instance holds a value without a version: it is used without a quorum; delete it there first, or take another X-Storage-Url";
            return Err(Fault::Invalid(what.to_owned()));
        }
        let members = Members::new(views.iter().map(|view| view.id)).filter(|_| views.len() == total);
        return Ok(members.map_or(Verdict::Open, Verdict::Virgin));
    };
    let members = &found.members;
    if members.ids().len() != total {
        let count = members.ids().len();
        return Err(Fault::Invalid(format!(
            "the value is kept by {count} instances, and {total} URLs are given; give all, and only those"
        )));
    }
    let voters = views.iter().filter(|view| members.contains(view.id));
    if voters.clone().count() < majority(total) {
        return Ok(Verdict::Open);
    }
    let holders = voters.filter(|view| view.stamp == Some(stamp)).count();
    Ok(Verdict::Highest { stamp, content: found.content.clone(), members: members.clone(), holders })
}

/// More than half.
pub(super) fn majority(total: usize) -> usize {
    total / 2 + 1
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::value::{Epoch, InstanceId};

    fn view(id: u128, stamp: Option<(u128, u64)>, members: &[u128]) -> View {
        let content = if stamp.is_some() { Content::Value("v".into()) } else { Content::Nothing };
        View {
            id: InstanceId(id),
            promised: Epoch::NONE,
            content,
            stamp: stamp.map(|(epoch, count)| Stamp { epoch: Epoch(epoch), count }),
            members: Members::new(members.iter().map(|id| InstanceId(*id))).unwrap(),
        }
    }

    fn holders(views: &[View]) -> Option<(u64, usize)> {
        match judge(views, 3).unwrap() {
            Verdict::Highest { stamp, holders, .. } => Some((stamp.count, holders)),
            _ => None,
        }
    }

    #[test]
    fn only_members_vote() {
        let all = &[1, 2, 3];
        let (one, two) = (view(1, Some((5, 1)), all), view(2, Some((5, 2)), all));
        assert_eq!(holders(&[one.clone(), two.clone()]), Some((2, 1)));
        assert_eq!(
            holders(&[one.clone(), view(3, None, &[])]),
            Some((1, 1)),
            "a member that has nothing votes for nothing"
        );
        assert_eq!(holders(&[one.clone(), view(4, None, &[])]), None, "one whose disk was lost does not");
        assert_eq!(holders(std::slice::from_ref(&one)), None);
        // What one without a vote has is seen, and not counted.
        assert_eq!(holders(&[one.clone(), two.clone(), view(4, Some((5, 3)), all)]), Some((3, 0)));
        assert_eq!(judge(&[one.clone(), one], 3).unwrap_err().kind(), crate::ErrorKind::Invalid);
        assert!(judge(&[two], 5).is_err(), "five URLs for three members");
    }

    #[test]
    fn only_all_together_are_virgin() {
        let (one, two, three) = (view(1, None, &[]), view(2, None, &[]), view(3, None, &[]));
        assert_eq!(judge(&[one.clone(), two.clone()], 3).unwrap(), Verdict::Open);
        let members = Members::new([1, 2, 3].map(InstanceId)).unwrap();
        assert_eq!(judge(&[one.clone(), two.clone(), three.clone()], 3).unwrap(), Verdict::Virgin(members));
        let foreign = View { content: Content::Value("x".into()), ..three };
        assert!(judge(&[one, two, foreign], 3).is_err());
    }
}
