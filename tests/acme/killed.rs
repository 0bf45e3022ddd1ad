//! Runs that are killed at any instant: what an authority was asked for is not asked for again.

use super::disk_story::{NAME, Story};
use crate::support::count;

#[test]
fn what_an_authority_has_issued_is_not_ordered_again_wherever_the_first_apply_was_killed() {
    let step = usize::try_from(count(17, 1)).unwrap();
    let (mut killed, mut again) = (0, Vec::new());
    for instant in (3..).step_by(step) {
        let Some(story) = Story::new() else { return };
        let Story { ground, authority } = &story;
        story.configure("", &[NAME], "");
        let Some(mut child) = ground.stopped_at(&format!("before:{instant}")) else { break };
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
        let before = authority.orders();
        ground.apply();
        story.whole(authority.orders().len());
        assert_eq!(authority.issued().len(), 1, "after a kill at {instant}");
        // One whose address the run did not come to write down is begun again: nothing comes of the first.
        if authority.orders().len() != 1 {
            again.push(instant);
            assert_eq!(authority.orders().len(), 2, "after a kill at {instant}");
            assert!(
                matches!(&before[..], [only] if only.status == "pending"),
                "after a kill at {instant}: {before:?}"
            );
        }
        assert_eq!(authority.accounts().len(), 1, "after a kill at {instant}");
    }
    assert!(killed > 5, "{killed} instants");
    // Between its answer and the ledger on the disk.
    assert!(again.len() < 4, "of {killed} instants these cost an order: {again:?}");
}
