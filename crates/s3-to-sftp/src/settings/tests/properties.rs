use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn reading_never_panics_and_never_shows_a_secret(
        values in proptest::collection::vec(r"\PC{0,20}|[:@/\[\]{}~.0-9sm]{0,8}|\s|-----BEGIN\n", TABLE.len()),
        password in "[A-Z]{12}",
    ) {
        let pasted = format!("sftp://acme:{password}@host");
        let lookup = |name: &str| match name {
            "SSH_PASSWORD" | "SSH_PASS" => Some(password.clone()),
            "SSH_HOST" if values[0].len() % 2 == 0 => Some(pasted.clone()),
            "SSH_PRIVATE_KEY" if values[1].len() % 2 == 0 => Some(format!("{}{password}", values[1])),
            _ => {
                let row = TABLE.iter().position(|row| row.name == name)?;
                values.get(row).cloned()
            }
        };
        // A reference tells where the key lies, which may be shown.
        let is_reference = |shown: &Shown| shown.row.name == "SSH_PRIVATE_KEY" && shown.value.contains(':');
        for shown in describe(lookup) {
            prop_assert!(is_reference(&shown) || !shown.to_string().contains(&password), "{}", shown);
        }
        match Settings::from_lookup(lookup) {
            Ok(loaded) => prop_assert!(!loaded.warnings.concat().contains(&password)),
            Err(problems) => prop_assert!(!problems.to_string().contains(&password), "{}", problems),
        }
    }

    #[test]
    fn hosts_come_out_without_what_is_refused(value in r"[a-z0-9.:@/\[\]%]{1,20}|\PC{1,8}") {
        if let Ok(loaded) = load(&[("SSH_HOST", &value)]) {
            let host = loaded.settings.host;
            let address = host.split('%').next().unwrap_or_default();
            let is_ipv6 = address.parse::<std::net::Ipv6Addr>().is_ok();
            prop_assert!(!host.contains(['/', '@', '[', ']', ' ', '"']), "{}", host);
            prop_assert!(is_ipv6 || !host.contains([':', '%']), "{}", host);
        }
    }
}
