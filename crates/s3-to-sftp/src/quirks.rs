//! What servers do that the draft does not say, or that OpenSSH does not: seen in their answers, and adapted to without a setting.
//!
//! The table is for people, and shown in docs/servers.md; the code that adapts stands where it is needed, and each row names the
//! tests that fail without it.

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Quirk {
    /// What the server does.
    pub server: &'static str,
    /// What becomes of a delivery.
    pub delivery: &'static str,
    /// Who does it, and where that was reported or is written down: names and links.
    pub seen: &'static [(&'static str, &'static str)],
    /// Names of tests, or of modules that run every promise against such a server.
    pub tests: &'static [&'static str],
}

/// All that are known, in the order of a delivery.
pub const QUIRKS: &[Quirk] = &[
    Quirk {
        server: "hangs up while others log in, or says that it has too many connections",
        delivery: "asked once more a second later; then an error that says so, and the message comes again",
        seen: &[
            (
                "OpenSSH's `MaxStartups`",
                "https://man.openbsd.org/sshd_config#MaxStartups",
            ),
            (
                "20 threads at once",
                "https://github.com/paramiko/paramiko/issues/664",
            ),
        ],
        tests: &[
            "openssh_that_bears_no_more_beginners",
            "openssh_that_has_had_enough_is_quoted",
        ],
    },
    Quirk {
        server: "takes the connection, and is silent",
        delivery: "given up after `SSH_CONNECT_TIMEOUT`, and later `SSH_STALL_TIMEOUT`",
        seen: &[
            (
                "Win32-OpenSSH",
                "https://github.com/PowerShell/Win32-OpenSSH/issues/1293",
            ),
            (
                "seen by Sarracenia",
                "https://github.com/MetPX/sarracenia/issues/1431",
            ),
        ],
        tests: &[
            "a_banner_that_never_comes",
            "a_server_that_never_greets_is_given_up",
            "a_server_that_stops_answering_is_given_up",
            "silence_at_the_login",
        ],
    },
    Quirk {
        server: "has old algorithms alone",
        delivery: "refused with both lists and the setting that lets them in",
        seen: &[
            (
                "OpenSSH before 6.7, appliances",
                "https://github.com/t8y2/dbx/pull/8780",
            ),
            (
                "switches",
                "https://github.com/miskin-lee/EdgeTerm/issues/60",
            ),
        ],
        tests: &["openssh_with_old_algorithms_only_is_let_in_where_they_are_asked_for"],
    },
    Quirk {
        server: "wants key and password, or asks for the password by keyboard-interactive",
        delivery: "given what it asks for",
        seen: &[
            ("a large bank", "https://github.com/mulesoft/mule/pull/651"),
            (
                "seen by SSHJ",
                "https://github.com/hierynomus/sshj/issues/443",
            ),
            (
                "`PasswordAuthentication no`",
                "https://github.com/MidnightCommander/mc/issues/3921",
            ),
        ],
        tests: &[
            "openssh_lets_in_by_key_and_keyboard_interactive",
            "a_server_with_questions_only",
            "openssh_lets_in_by_key_and_password",
        ],
    },
    Quirk {
        server: "lets the account in, and has no SFTP for it",
        delivery: "`SftpRefused`",
        seen: &[(
            "OpenSSH without `Subsystem`",
            "https://man.openbsd.org/sshd_config#Subsystem",
        )],
        tests: &[
            "an_account_without_sftp",
            "openssh_that_lets_in_and_has_no_sftp",
        ],
    },
    Quirk {
        server: "prints text before SFTP begins",
        delivery: "refused with the text; the error names start-up files",
        seen: &[
            ("shells", "https://www.openssh.com/faq.html#2.9"),
            (
                "a greeting in `.bashrc`",
                "https://github.com/Natizyskunk/vscode-sftp/issues/235",
            ),
        ],
        tests: &[
            "a_greeting_before_sftp_is_recognised",
            "openssh_that_lets_in_and_has_no_sftp",
        ],
    },
    Quirk {
        server: "answers with a version above 3, or lists extensions that are no text",
        delivery: "taken for 3; such extensions are none",
        seen: &[
            (
                "ProFTPD's mod_sftp",
                "https://github.com/proftpd/proftpd/issues/1200",
            ),
            (
                "version 6 of the draft",
                "https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-13",
            ),
        ],
        tests: &[
            "a_version_below_three_is_refused_and_one_above_is_taken_for_three",
            "extensions_that_are_no_text_are_none_and_one_may_lack_its_data",
        ],
    },
    Quirk {
        server: "leaves out a status' text or its language, or has a code above 8",
        delivery: "read all the same; the number is shown",
        seen: &[
            ("no language", "https://github.com/mscdex/ssh2/issues/1116"),
            (
                "ProFTPD: 9, \"Invalid handle\"",
                "https://github.com/proftpd/proftpd/blob/1dbfb9d7c06df22a6f6b610b014b72b190ab6f86/contrib/mod_sftp/fxp.c#L408",
            ),
        ],
        tests: &["a_status_above_eight_keeps_its_number_and_the_session_goes_on"],
    },
    Quirk {
        server: "has handles of any bytes, up to 256",
        delivery: "sent back as they came",
        seen: &[(
            "the draft, section 7",
            "https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02#section-7",
        )],
        tests: &["a_handle_is_sent_back_as_it_came", "tight"],
    },
    Quirk {
        server: "answers out of order",
        delivery: "each answer finds its request",
        seen: &[
            (
                "before a store in S3",
                "https://github.com/lavv17/lftp/issues/312",
            ),
            (
                "Green End's server",
                "https://github.com/ewxrjk/sftpserver/issues/24",
            ),
        ],
        tests: &[
            "answers_find_their_requests_in_any_order",
            "a_server_that_answers_writes_out_of_order",
            "every_cut_point_where_writes_are_answered_out_of_order",
            "nothing_follows_the_first_large_write_before_it_is_looked_at",
            "an_fsync_does_not_overtake_the_last_writes",
            "what_is_acknowledged_has_no_gap_below_it",
        ],
    },
    Quirk {
        server: "answers what nobody asked",
        delivery: "the session is over, and the file gone on with over another connection",
        seen: &[(
            "sftp-gcs",
            "https://github.com/kolban-google/sftp-gcs/issues/6",
        )],
        tests: &[
            "an_answer_to_nothing_ends_the_session",
            "an_answer_that_nobody_asked_for_is_gone_on_from_over_another_connection",
        ],
    },
    Quirk {
        server: "has no REALPATH, and lists no directory",
        delivery: "neither is asked for by a delivery",
        seen: &[
            (
                "made with ssh2's example",
                "https://github.com/mscdex/ssh2/issues/560",
            ),
            (
                "drop boxes",
                "https://github.com/EricZimmerman/KapeFiles/issues/136",
            ),
        ],
        tests: &["without_what_can_be_missed"],
    },
    Quirk {
        server: "refuses MKDIR, though the directory is there, or because it is there",
        delivery: "the file is opened first; a directory is made only where that says that there is none",
        seen: &[
            (
                "seen by AsyncSSH",
                "https://github.com/ronf/asyncssh/pull/478",
            ),
            (
                "seen by moov-io/go-sftp",
                "https://github.com/moov-io/go-sftp/pull/156",
            ),
        ],
        tests: &[
            "a_directory_that_is_there_and_may_not_be_made",
            "a_directory_that_may_not_be_made_because_it_is_there",
        ],
    },
    Quirk {
        server: "refuses to open a name that exists, even one's own",
        delivery: "what an earlier attempt left is removed, and opened anew; `direct` is refused over a file that is there",
        seen: &[(
            "ProFTPD without `AllowOverwrite on`",
            "http://www.proftpd.org/docs/modules/mod_xfer.html#AllowOverwrite",
        )],
        tests: &[
            "proftpd",
            "an_own_temporary_that_may_not_be_opened_again_is_removed",
            "a_file_that_is_not_opened_again_is_named",
            "a_direct_upload_over_a_file_that_is_not_opened",
        ],
    },
    Quirk {
        server: "cuts a file at every OPEN for writing, and ignores EXCL",
        delivery: "what is there is told by FSTAT behind the OPEN, and by nothing else: begun anew",
        seen: &[(
            "`rclone serve sftp` before 1.75",
            "https://github.com/rclone/rclone/commit/4dead760dd4aae993b032a6087d24fcc3e475ff3",
        )],
        tests: &[
            "cuts_at_open",
            "rclone",
            "a_server_that_truncates_when_another_channel_opens_the_file",
        ],
    },
    Quirk {
        server: "writes from the first byte on and in order only",
        delivery: "one channel, in order; after a broken connection begun anew",
        seen: &[
            (
                "rclone without a cache: \"Illegal seek\"",
                "https://github.com/rclone/rclone/issues/5806",
            ),
            (
                "partnerupload.google.com",
                "https://github.com/theophilusx/ssh2-sftp-client/issues/461",
            ),
        ],
        tests: &[
            "a_server_that_writes_from_the_beginning_only",
            "rclone",
            "a_server_that_only_calls_itself_openssh_gets_one_channel",
        ],
    },
    Quirk {
        server: "appends every write, whatever its offset",
        delivery: "a file that is gone on with is seen to be longer than it may be, and begun anew",
        seen: &[(
            "where O_APPEND wins over the offset",
            "https://github.com/curl/curl/pull/18952",
        )],
        tests: &[
            "every_cut_point_where_every_write_appends",
            "a_server_that_appends_every_write",
        ],
    },
    Quirk {
        server: "stores the beginning of a larger write, and says OK",
        delivery: "larger ones are sent only where `limits@openssh.com` allows them; the first is looked at; begun anew with 32 KiB",
        seen: &[
            (
                "a Windows machine: 100 KiB",
                "https://github.com/theophilusx/ssh2-sftp-client/issues/531",
            ),
            (
                "Win32-OpenSSH 7.7: 100 KiB, and refused",
                "https://github.com/PowerShell/Win32-OpenSSH/issues/1395",
            ),
            (
                "seen by Netcatty",
                "https://github.com/binaricat/Netcatty/issues/2022",
            ),
        ],
        tests: &[
            "a_server_that_stores_the_beginning_of_each_write_and_the_right_size",
            "servers_with_odd_limits_for_one_write",
            "a_direct_upload_over_a_file_on_a_server_that_stores_the_beginning_of_each_write",
            "a_retry_over_its_own_leftover_on_a_server_that_stores_the_beginning_of_each_write",
        ],
    },
    Quirk {
        server: "refuses a write that is sent before the one before is answered",
        delivery: "begun anew, one write after the other; remembered",
        seen: &[(
            "seen by ssh2-streams: \"only works with concurrency 1\"",
            "https://github.com/mscdex/ssh2-streams/issues/119",
        )],
        tests: &["a_server_that_refuses_writes_that_are_sent_together"],
    },
    Quirk {
        server: "carries out one write after the other, or takes long for each",
        delivery: "as slow as that, and complete",
        seen: &[
            (
                "OpenSSH's `sftp-server`",
                "https://github.com/openssh/openssh-portable/blob/master/sftp-server.c",
            ),
            (
                "CrushFTP",
                "https://github.com/mscdex/ssh2-streams/issues/145",
            ),
        ],
        tests: &[
            "a_server_that_answers_one_write_at_a_time",
            "every_answer_begins_the_silence_anew",
        ],
    },
    Quirk {
        server: "takes small packets, or has a window smaller than a write",
        delivery: "split as SSH asks for it",
        seen: &[
            (
                "Dropbear: 24 KiB",
                "https://github.com/mkj/dropbear/blob/1442f00d3f0d755d9f8ba83c5edcd893aa4d71db/src/default_options.h#L377",
            ),
            (
                "RFC 4254, section 5.2",
                "https://datatracker.ietf.org/doc/html/rfc4254#section-5.2",
            ),
        ],
        tests: &[
            "a_server_whose_channel_packets_are_tiny",
            "a_window_of_a_few_kilobytes",
            "tight",
        ],
    },
    Quirk {
        server: "bears one session on a connection, or some",
        delivery: "as many channels as it bears; remembered",
        seen: &[
            (
                "OpenSSH's `MaxSessions`",
                "https://man.openbsd.org/sshd_config#MaxSessions",
            ),
            (
                "freeFTPd",
                "https://github.com/byteskeptical/sftpretty/issues/61",
            ),
        ],
        tests: &[
            "openssh_with_one_session_gets_one_channel",
            "a_server_that_takes_two_channels",
            "a_server_that_hangs_up_when_it_is_asked_for_another_channel",
            "what_a_server_has_refused_is_not_asked_for_again",
            "a_connection_that_broke_while_channels_were_asked_for_bears_none",
        ],
    },
    Quirk {
        server: "mixes up what several channels ask",
        delivery: "with a number in `SSH_CHANNELS` alone: begun anew over another connection and one channel; remembered",
        seen: &[(
            "ProFTPD's mod_sftp",
            "https://github.com/proftpd/proftpd/issues/1897",
        )],
        tests: &[
            "a_server_that_mixes_up_its_channels",
            "proftpd_with_allow_overwrite",
        ],
    },
    Quirk {
        server: "has a copy of the file for each handle, put into a store at CLOSE",
        delivery: "the first handle has to see what another wrote, or one channel writes",
        seen: &[
            (
                "MiniStack",
                "https://github.com/ministackorg/ministack/blob/f1bdbd8c2c3b9f10a45adf239a4c85d980fac085/ministack/services/transfer.py#L911",
            ),
            (
                "AWS Transfer Family: no several connections for one file",
                "https://docs.aws.amazon.com/transfer/latest/userguide/transfer-file.html",
            ),
        ],
        tests: &["a_home_where_each_handle_has_its_own_copy", "transfer"],
    },
    Quirk {
        server: "has no FSETSTAT, or says OK and does nothing",
        delivery: "`SSH_FILE_MODE` without effect is a warning; a longer file that `direct` cannot cut is removed first",
        seen: &[
            (
                "seen from Lambda",
                "https://github.com/theophilusx/ssh2-sftp-client/issues/330",
            ),
            (
                "AWS Transfer Family's `SetStatOption`",
                "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-transfer-server-protocoldetails.html",
            ),
        ],
        tests: &[
            "a_server_that_refuses_the_file_mode_is_a_warning",
            "a_direct_upload_over_a_longer_file_that_cannot_be_cut",
            "without_what_can_be_missed",
            "a_mode_without_effect_is_named",
        ],
    },
    Quirk {
        server: "has no fsync",
        delivery: "the receipt says `durable` `not-known`",
        seen: &[(
            "servers made with pkg/sftp, rclone's too",
            "https://github.com/pkg/sftp/blob/v1.13.10/sftp.go#L87",
        )],
        tests: &["the_receipt_tells_what_is_durable"],
    },
    Quirk {
        server: "takes long to close or to sync",
        delivery: "waited for, as long as it answers keepalives",
        seen: &[(
            "SFTPGo, as long as a hook runs",
            "https://github.com/drakkan/sftpgo/blob/c19b03a3f7307deb166c34ed0a0ce162038b8a5b/docs/custom-actions.md",
        )],
        tests: &[
            "a_slow_close_is_no_stall_and_neither_is_what_waits_behind_it",
            "a_link_that_dies_during_a_slow_fsync_is_given_up",
        ],
    },
    Quirk {
        server: "tells a file's length late",
        delivery: "asked again after 0.2, 1 and 3 s",
        seen: &[(
            "a mounted object store",
            "https://github.com/ovh/svfs/issues/17",
        )],
        tests: &["a_length_that_is_told_late_is_waited_for"],
    },
    Quirk {
        server: "tells nothing of files: no STAT, no FSTAT",
        delivery: "acknowledgements count, and the receipt says so; `skip` and `fail` refuse",
        seen: &[
            ("no STAT", "https://github.com/paramiko/paramiko/issues/134"),
            (
                "write-only accounts",
                "https://github.com/Velocidex/velociraptor/issues/950",
            ),
            ("no FSTAT", "https://github.com/sshnet/SSH.NET/issues/154"),
        ],
        tests: &[
            "tells_nothing_of_files",
            "a_direct_upload_over_a_file_of_which_nothing_is_told",
            "a_server_that_stores_the_beginning_of_each_write_and_tells_no_size",
            "a_conflict_that_a_server_does_not_tell_of",
        ],
    },
    Quirk {
        server: "takes a file away as soon as it is closed, whatever its name",
        delivery: "`TemporaryGone`, with the settings that help: `SSH_UPLOAD=direct`, or another `SSH_TEMPORARY_NAME`",
        seen: &[
            (
                "moved at once",
                "https://github.com/paramiko/paramiko/issues/1843",
            ),
            (
                "moved or deleted",
                "https://github.com/paramiko/paramiko/pull/1374",
            ),
        ],
        tests: &["a_server_that_takes_the_file_away_at_close"],
    },
    Quirk {
        server: "takes a file away at the rename, or gives it another name on arrival",
        delivery: "delivered: the name is the partner's from then on, and is not asked for",
        seen: &[
            (
                "taken by the partner",
                "https://github.com/Azure/logicapps/issues/1298",
            ),
            (
                "a number behind the name",
                "https://github.com/hierynomus/sshj/issues/290",
            ),
        ],
        tests: &["a_file_that_is_taken_or_named_anew_at_the_rename"],
    },
    Quirk {
        server: "fails a RENAME where the target exists",
        delivery: "`posix-rename@openssh.com`; without it the old file is moved aside, and back where that fails",
        seen: &[
            (
                "the draft, section 6.5",
                "https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02#section-6.5",
            ),
            (
                "OpenSSH's plain RENAME",
                "https://github.com/axpdev-lab/aeroftp/pull/862",
            ),
            (
                "ProFTPD's mod_sftp",
                "https://github.com/lavv17/lftp/issues/122",
            ),
        ],
        tests: &[
            "without_extensions",
            "a_rename_that_fails_half_way_is_rolled_back",
            "a_file_that_is_there_is_replaced_in_one_step",
        ],
    },
    Quirk {
        server: "replaces the target of a plain RENAME",
        delivery: "the name is looked at directly before, for `SSH_ON_CONFLICT`",
        seen: &[("SFTPGo", "https://github.com/drakkan/sftpgo/issues/2068")],
        tests: &[
            "renames_over",
            "a_name_that_is_taken_meanwhile_where_a_plain_rename_replaces",
        ],
    },
    Quirk {
        server: "forbids renaming",
        delivery: "refused, with the setting to use: `SSH_UPLOAD=direct`",
        seen: &[("MinIO", "https://github.com/minio/minio/issues/17505")],
        tests: &["a_server_where_nothing_is_renamed"],
    },
    Quirk {
        server: "renames, and the answer is lost",
        delivery: "settled by what stands under both names",
        seen: &[("seen by lftp", "https://github.com/lavv17/lftp/issues/122")],
        tests: &[
            "a_lost_answer_to_the_rename_is_settled_by_the_names",
            "a_lost_rename_without_evidence_keeps_the_source",
        ],
    },
    Quirk {
        server: "ends connections that are idle, or changes keys every few MB",
        delivery: "proven before it is used again; keys are exchanged in the midst of a file",
        seen: &[
            (
                "AWS Transfer Family: 30 minutes",
                "https://docs.aws.amazon.com/transfer/latest/userguide/transfer-file.html",
            ),
            (
                "OpenSSH's `RekeyLimit`",
                "https://man.openbsd.org/sshd_config#RekeyLimit",
            ),
        ],
        tests: &[
            "a_connection_that_the_server_has_closed_is_made_again",
            "openssh_exchanges_keys_in_the_midst_of_a_large_file",
            "a_connection_that_swallows_everything_is_replaced_without_a_failure",
            "we_exchange_keys_in_the_midst_of_a_large_file",
        ],
    },
];

/// As docs/servers.md shows it.
pub fn markdown() -> String {
    let mut text =
        "| the server | the delivery | seen at | tests |\n|---|---|---|---|\n".to_owned();
    for quirk in QUIRKS {
        let seen: Vec<String> = quirk
            .seen
            .iter()
            .map(|(who, link)| format!("[{who}]({link})"))
            .collect();
        let tests: Vec<String> = quirk.tests.iter().map(|it| format!("`{it}`")).collect();
        text += &format!(
            "| {} | {} | {} | {} |\n",
            quirk.server,
            quirk.delivery,
            seen.join(", "),
            tests.join(", ")
        );
    }
    text
}
