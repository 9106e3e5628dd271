//! The promises, as bodies that any server runs. Each body's name is the promise; it knows a server
//! only as an account and a directory.

pub(crate) mod arrival;
pub(crate) mod attempts;
pub(crate) mod changes;
pub(crate) mod choices;
pub(crate) mod links;

/// Runs every body as a test of its own, in a world that `$world` makes.
macro_rules! promises {
    ($world:path) => {
        $crate::promises::promises! { $world => arrival: every_size_arrives_byte_by_byte every_name_arrives_as_it_is an_old_file_is_replaced nobody_sees_half_a_file an_object_that_is_gone_writes_nothing a_kept_source_stays a_multipart_object_arrives a_version_is_delivered_once_and_stays_in_the_history a_body_that_breaks_off_is_gone_on_with }
        $crate::promises::promises! { $world => changes: a_resumed_body_is_of_the_same_version an_object_replaced_before_the_rename_is_begun_anew the_same_content_put_again_is_another_object an_object_deleted_before_the_rename_is_not_published a_newer_object_is_not_deleted a_newer_object_is_not_deleted_where_conditions_are_ignored a_denied_delete_does_not_fail_the_delivery the_same_content_as_another_version_is_another_object a_version_that_breaks_off_is_gone_on_with_by_its_id a_source_that_somebody_else_deletes_is_gone_already a_delete_that_meets_a_concurrent_write_is_tried_again }
        $crate::promises::promises! { $world => links: several_channels_write_one_file a_broken_link_is_gone_on_with a_transfer_longer_than_an_invocation_is_handed_over a_relay_survives_a_crash a_relay_whose_object_changes_begins_anew a_relay_whose_object_is_deleted_leaves_nothing }
        $crate::promises::promises! { $world => choices: skip_replaces_nothing_and_keeps_the_source fail_replaces_nothing_and_fails skip_and_fail_deliver_what_is_new a_conflict_with_oneself_is_a_delivery a_file_is_read_back a_file_has_the_mode_that_is_set a_direct_upload_arrives_whatever_was_there a_direct_upload_makes_directories_and_obeys_conflicts }
        $crate::promises::promises! { $world => attempts: twins_do_not_hurt_each_other a_retry_writes_over_what_its_first_attempt_left a_deadline_leaves_the_source_and_no_temporary }
    };
    ($world:path => $group:ident: $($body:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $body() {
                $crate::promises::$group::$body($world().await).await;
            }
        )*
    };
}
pub(crate) use promises;
