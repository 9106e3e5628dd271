//! A test per step and fault.

use crate::faults;
use crate::server::{Script, Step};
use crate::world::{Expected, Within, deliver};

macro_rules! rows {
    ($(fn $name:ident() => $step:ident, $fault:ident, $expected:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                deliver(Script::new(Step::$step, faults::$fault), $expected).await;
            }
        )*
    };
}

const DELIVERED: Expected = Expected::Delivered(Within::AtOnce);

const fn silent(within: Within) -> Expected {
    Expected::Failed("ServerSilent", within)
}

const BROKEN: Expected = Expected::Failed("ConnectionBroken", Within::AtOnce);
const BROKEN_TWICE: Expected = Expected::Failed("ConnectionBroken", Within::Again);
const PROTOCOL: Expected = Expected::Failed("SftpProtocol", Within::AtOnce);
const REFUSED: Expected = Expected::Failed("SftpRefused", Within::AtOnce);

rows! {
    fn a_server_that_means_well() => Open, nothing, DELIVERED;

    fn silence_before_the_identification() => Identification, silence, silent(Within::Connect);
    fn silence_before_the_key_exchange() => KeyExchange, silence, silent(Within::Handshake);
    fn silence_in_the_key_exchange() => ExchangeReply, silence, silent(Within::Handshake);
    fn silence_in_the_key_exchange_with_a_long_time_out() => ExchangeReply, silence, silent(Within::LongHandshake);
    fn silence_before_new_keys() => NewKeys, silence, silent(Within::Handshake);
    fn silence_before_the_service() => Service, silence, silent(Within::Stall);
    fn silence_at_the_login() => Login, silence, silent(Within::Stall);
    fn silence_after_the_login() => Channel, silence, silent(Within::Stall);
    fn silence_at_the_subsystem() => Subsystem, silence, silent(Within::Stall);
    fn silence_before_the_version() => Version, silence, silent(Within::Stall);
    fn silence_after_the_version() => Open, silence, silent(Within::Stall);
    fn silence_after_open() => Write, silence, silent(Within::Stall);
    fn silence_behind_the_first_write() => Write, silence_behind_the_first, silent(Within::TwoStalls);
    fn silence_at_close() => Close, silence, silent(Within::TwoStalls);
    fn silence_at_the_rename() => Rename, silence, silent(Within::TwoStalls);

    // However long the time-out: another connection has no more than 5 s beside it.
    fn silence_behind_the_first_write_with_a_long_time_out() => Write, silence_behind_the_first, silent(Within::LongStall);
    fn silence_at_close_with_a_long_time_out() => Close, silence, silent(Within::LongStall);
    fn silence_at_the_rename_with_a_long_time_out() => Rename, silence, silent(Within::LongStall);
    fn deafness_at_the_rename_with_a_long_time_out() => Rename, deafness, silent(Within::LongStall);
    fn drip_at_close_with_a_long_time_out() => Close, drip, silent(Within::LongStall);

    fn deafness_at_the_login() => Login, deafness, silent(Within::Stall);
    fn deafness_after_the_version() => Open, deafness, silent(Within::Stall);
    fn deafness_after_open() => Write, deafness, silent(Within::Stall);
    fn deafness_at_the_rename() => Rename, deafness, silent(Within::TwoStalls);

    fn drip_from_the_identification_on() => Identification, drip, silent(Within::Handshake);
    fn drip_in_the_key_exchange() => KeyExchange, drip, silent(Within::Handshake);
    fn drip_before_new_keys() => NewKeys, drip, silent(Within::Handshake);
    fn drip_at_the_login() => Login, drip, silent(Within::Stall);
    fn drip_after_the_login() => Channel, drip, silent(Within::Stall);
    fn drip_before_the_version() => Version, drip, silent(Within::Stall);
    fn drip_after_the_version() => Open, drip, silent(Within::Stall);
    fn drip_after_open() => Write, drip, silent(Within::Stall);
    fn drip_at_close() => Close, drip, silent(Within::TwoStalls);
    // It is carried out, and what is left of the time is enough to see that.
    fn drip_at_the_rename() => Rename, drip, Expected::Delivered(Within::TwoStalls);

    fn cut_before_the_identification() => Identification, cut, BROKEN_TWICE;
    fn cut_before_the_key_exchange() => KeyExchange, cut, BROKEN_TWICE;
    fn cut_in_the_key_exchange() => ExchangeReply, cut, BROKEN_TWICE;
    fn cut_before_new_keys() => NewKeys, cut, BROKEN_TWICE;
    fn cut_before_the_service() => Service, cut, BROKEN;
    fn cut_at_the_login() => Login, cut, BROKEN;
    fn cut_after_the_login() => Channel, cut, BROKEN_TWICE;
    fn cut_at_the_subsystem() => Subsystem, cut, BROKEN_TWICE;
    fn cut_before_the_version() => Version, cut, BROKEN_TWICE;
    fn cut_after_the_version() => Open, cut, BROKEN;
    fn cut_after_open() => Write, cut, BROKEN;
    fn cut_at_close() => Close, cut, BROKEN;
    fn cut_at_the_rename() => Rename, cut, BROKEN;

    fn disconnect_before_the_key_exchange() => KeyExchange, disconnect, BROKEN;
    fn disconnect_in_the_key_exchange() => ExchangeReply, disconnect, BROKEN;
    fn disconnect_at_the_login() => Login, disconnect, Expected::Failed("LoginRefused", Within::AtOnce);
    fn disconnect_after_the_login() => Channel, disconnect, BROKEN_TWICE;
    fn disconnect_before_the_version() => Version, disconnect, BROKEN_TWICE;
    fn disconnect_after_open() => Write, disconnect, BROKEN;
    fn disconnect_at_the_rename() => Rename, disconnect, BROKEN;

    fn garbage_before_the_identification() => Identification, garbage, BROKEN_TWICE;
    fn garbage_before_the_key_exchange() => KeyExchange, garbage, BROKEN_TWICE;
    fn garbage_in_the_key_exchange() => ExchangeReply, garbage, BROKEN_TWICE;
    fn garbage_before_new_keys() => NewKeys, garbage, BROKEN_TWICE;
    fn garbage_after_new_keys() => Service, garbage, BROKEN;
    fn garbage_after_the_login() => Channel, garbage, BROKEN_TWICE;
    fn garbage_in_the_transport_after_open() => Write, garbage, BROKEN;
    fn garbage_before_the_version() => Version, garbage_in_sftp, REFUSED;
    fn garbage_after_the_version() => Open, garbage_in_sftp, PROTOCOL;
    fn garbage_after_open() => Write, garbage_in_sftp, PROTOCOL;
    fn garbage_at_close() => Close, garbage_in_sftp, PROTOCOL;
    fn garbage_at_the_rename() => Rename, garbage_in_sftp, PROTOCOL;

    fn a_packet_of_4_gib_before_the_key_exchange() => KeyExchange, packet_of_4_gib, BROKEN_TWICE;
    fn a_packet_of_4_gib_after_new_keys() => Service, packet_of_4_gib, BROKEN;
    fn a_packet_of_4_gib_after_open() => Write, packet_of_4_gib, BROKEN;
    fn a_packet_of_nothing_before_the_key_exchange() => KeyExchange, packet_of_nothing, silent(Within::Handshake);
    fn a_packet_of_nothing_after_open() => Write, packet_of_nothing, silent(Within::Stall);
    fn packets_of_every_type_before_the_key_exchange() => KeyExchange, packets_of_every_type, BROKEN_TWICE;
    fn packets_of_every_type_in_the_key_exchange() => ExchangeReply, packets_of_every_type, BROKEN_TWICE;
    fn packets_of_every_type_at_the_login() => Login, packets_of_every_type, BROKEN;
    fn packets_of_every_type_after_open() => Write, packets_of_every_type, BROKEN;

    fn lines_without_end_before_the_identification() => Identification, lines_without_end, BROKEN_TWICE;
    fn a_line_without_end_before_the_identification() => Identification, a_line_without_end, BROKEN_TWICE;
    fn ignores_without_end_before_the_key_exchange() => KeyExchange, ignores_without_end, silent(Within::Handshake);
    fn ignores_without_end_in_the_key_exchange() => ExchangeReply, ignores_without_end, silent(Within::Handshake);
    fn ignores_without_end_at_the_login() => Login, ignores_without_end, silent(Within::Stall);
    fn ignores_without_end_after_the_version() => Open, ignores_without_end, silent(Within::Stall);
    fn debug_messages_without_end_after_open() => Write, debug_messages_without_end, silent(Within::Stall);
    fn banners_without_end_at_the_login() => Login, banners_without_end, silent(Within::Stall);
    fn requests_for_another_password_without_end() => Login, requests_for_another_password_without_end, silent(Within::Stall);
    fn key_exchanges_without_end_after_open() => Write, key_exchanges_without_end, BROKEN;
    fn half_a_key_exchange_after_open() => Write, half_a_key_exchange, silent(Within::Stall);
    fn requests_without_end_at_the_login() => Login, requests_without_end, BROKEN;
    fn requests_without_end_after_open() => Write, requests_without_end, silent(Within::Stall);
    fn requests_of_the_channel_without_end() => Write, requests_of_the_channel_without_end, silent(Within::Stall);
    fn channels_without_end_after_open() => Write, channels_without_end, silent(Within::Stall);
    fn channels_without_end_in_a_key_exchange() => Write, channels_without_end_in_a_key_exchange, BROKEN;
    fn window_without_end_after_open() => Write, window_without_end, silent(Within::Stall);
    fn windows_of_4_gib_without_end_after_open() => Write, windows_of_4_gib_without_end, silent(Within::Stall);
    fn standard_error_without_end_before_the_version() => Version, standard_error_without_end, silent(Within::Stall);
    fn standard_error_without_end_after_open() => Write, standard_error_without_end, silent(Within::Stall);
    fn data_of_nothing_without_end_after_open() => Write, data_of_nothing_without_end, silent(Within::Stall);
    fn the_end_of_the_channel_before_the_version() => Version, end_of_the_channel, REFUSED;
    fn the_end_of_the_channel_after_open() => Write, end_of_the_channel, BROKEN;

    fn text_before_sftp_without_end() => Version, text_before_sftp_without_end, REFUSED;
    fn an_sftp_packet_of_4_gib_before_the_version() => Version, sftp_packet_of_4_gib, REFUSED;
    fn an_sftp_packet_of_4_gib_after_the_version() => Open, sftp_packet_of_4_gib, PROTOCOL;
    fn an_sftp_packet_of_4_gib_after_open() => Write, sftp_packet_of_4_gib, PROTOCOL;
    fn an_sftp_packet_in_single_bytes() => Write, sftp_packet_in_single_bytes, silent(Within::Stall);
    fn an_sftp_packet_that_never_ends() => Write, sftp_packet_that_never_ends, silent(Within::Stall);
    fn an_sftp_packet_of_nothing() => Write, sftp_packet_of_nothing, PROTOCOL;
    fn extensions_without_end() => Version, extensions_without_end, PROTOCOL;
    fn an_extension_of_4_gib() => Version, extension_of_4_gib, REFUSED;
    fn a_handle_of_4_gib() => Open, handle_of_4_gib, PROTOCOL;
    fn a_million_unsolicited_answers_after_the_version() => Open, a_million_unsolicited_answers, PROTOCOL;
    fn a_million_unsolicited_answers_after_open() => Write, a_million_unsolicited_answers, PROTOCOL;
    fn a_message_of_4_gib() => Close, message_of_4_gib, DELIVERED;
    fn attributes_without_end() => Stat, attributes_without_end, PROTOCOL;
}

/// Nothing of the file can be gone on with, so it is begun anew: that is no reason for another whole time-out.
#[tokio::test]
async fn silence_at_close_of_a_file_that_is_not_read() {
    let script = Script {
        are_files_read: false,
        ..Script::new(Step::Close, faults::silence)
    };
    deliver(script, silent(Within::LongStall)).await;
}

/// What the client offers is `none` alone, so that a server which wants to compress first agrees on that.
#[tokio::test]
async fn compression_is_never_negotiated() {
    for compression in ["zlib,none", "zlib@openssh.com,zlib,none"] {
        let script = Script {
            compression,
            ..Script::new(Step::Open, faults::nothing)
        };
        let server = deliver(script, DELIVERED).await;
        for direction in [6, 7] {
            assert_eq!(server.offered(direction), "none");
        }
    }
}

/// A server that insists is not talked to.
#[tokio::test]
async fn a_server_that_only_compresses_is_refused() {
    let script = Script {
        compression: "zlib",
        ..Script::new(Step::KeyExchange, faults::nothing)
    };
    deliver(
        script,
        Expected::Failed("NoCommonAlgorithm", Within::AtOnce),
    )
    .await;
}
