//! Host certificates: what is trusted beside the authority's name.

use std::time::{Duration, UNIX_EPOCH};

use russh::keys::PrivateKey;
use russh::keys::key::safe_rng;
use russh::keys::ssh_key::certificate::{Builder, CertType};

use super::*;

const NOW: u64 = 1_800_000_000;

struct World {
    authority: PrivateKey,
    host: PrivateKey,
}

impl World {
    fn new() -> Self {
        let make = || PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        Self {
            authority: make(),
            host: make(),
        }
    }

    /// A good one, but for what `change` makes of it.
    fn certificate(&self, change: impl Fn(&mut Builder)) -> Certificate {
        self.lasting(NOW - 100, NOW + 100, change)
    }

    fn lasting(&self, from: u64, to: u64, change: impl Fn(&mut Builder)) -> Certificate {
        self.of_type(CertType::Host, from, to, change)
    }

    fn of_type(
        &self,
        kind: CertType,
        from: u64,
        to: u64,
        change: impl Fn(&mut Builder),
    ) -> Certificate {
        let host = self.host.public_key().key_data().clone();
        let mut builder = Builder::new_with_random_nonce(&mut safe_rng(), host, from, to).unwrap();
        builder.cert_type(kind).unwrap();
        change(&mut builder);
        builder.sign(&self.authority).unwrap()
    }

    fn authority(&self) -> String {
        self.authority.public_key().to_openssh().unwrap()
    }

    fn pinned(&self) -> Pinned {
        pinned(&format!(
            "@cert-authority *.example.com {}",
            self.authority()
        ))
    }
}

fn named(builder: &mut Builder) {
    builder.valid_principal(HOST).unwrap();
}

fn check(pinned: &Pinned, certificate: Certificate) -> Result<(), Distrust> {
    pinned.check(&certificate.into(), UNIX_EPOCH + Duration::from_secs(NOW))
}

fn refused(world: &World, certificate: Certificate) -> CertificateProblem {
    match check(&world.pinned(), certificate) {
        Err(Distrust::Certificate(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_of_the_authority_for_the_host_is_trusted() {
    let world = World::new();
    assert!(asked(&world.pinned()).1);
    assert_eq!(check(&world.pinned(), world.certificate(named)), Ok(()));
    let many = |builder: &mut Builder| {
        for name in ["a.example", "SFTP.example.com", "b.example"] {
            builder.valid_principal(name).unwrap();
        }
    };
    assert_eq!(check(&world.pinned(), world.certificate(many)), Ok(()));
}

#[test]
fn an_authority_that_is_not_pinned_for_the_host_is_not_trusted() {
    let (world, other) = (World::new(), World::new());
    let foreign = other.certificate(named);
    assert_eq!(check(&world.pinned(), foreign), Err(Distrust::Unknown));
    let text = format!(
        "@cert-authority *.example.org {}\n{ED25519}",
        world.authority()
    );
    let elsewhere = pinned(&text);
    assert!(!asked(&elsewhere).1);
    let certificate = world.certificate(named);
    assert_eq!(check(&elsewhere, certificate), Err(Distrust::Unknown));
}

/// The key of an authority is none that a host may have, and a host's none that may sign.
#[test]
fn an_authority_is_no_host_and_a_host_no_authority() {
    let world = World::new();
    let shown = PublicKeyOrCertificate::from(world.authority.public_key().clone());
    let refused = world.pinned().check(&shown, SystemTime::now());
    assert_eq!(refused, Err(Distrust::Unknown));
    let as_host = pinned(&world.authority());
    assert!(!asked(&as_host).1);
    let certificate = world.certificate(named);
    assert_eq!(check(&as_host, certificate), Err(Distrust::Unknown));
}

#[test]
fn a_certificate_is_valid_from_its_beginning_to_just_before_its_end() {
    let world = World::new();
    assert_eq!(
        check(&world.pinned(), world.lasting(NOW, NOW + 1, named)),
        Ok(())
    );
    assert_eq!(
        refused(&world, world.lasting(NOW + 1, NOW + 2, named)),
        CertificateProblem::NotYetValid("2027-01-15T08:00:01Z".to_owned())
    );
    assert_eq!(
        refused(&world, world.lasting(NOW - 2, NOW, named)),
        CertificateProblem::Expired("2027-01-15T08:00:00Z".to_owned())
    );
}

#[test]
fn a_certificate_names_the_host_and_no_other() {
    let world = World::new();
    let for_others = |builder: &mut Builder| {
        for name in ["a.example", "example.com", "*.example.com"] {
            builder.valid_principal(name).unwrap();
        }
    };
    let CertificateProblem::ForOthers { names, host } =
        refused(&world, world.certificate(for_others))
    else {
        panic!("it is for others")
    };
    assert_eq!(names, r#""a.example", "example.com", "*.example.com""#);
    assert_eq!(host, HOST);
    let for_all = |builder: &mut Builder| {
        builder.all_principals_valid().unwrap();
    };
    assert_eq!(
        refused(&world, world.certificate(for_all)),
        CertificateProblem::ForEveryHost
    );
}

#[test]
fn a_users_certificate_and_options_that_nobody_knows_are_refused() {
    let world = World::new();
    let of_user = world.of_type(CertType::User, NOW - 1, NOW + 1, named);
    assert_eq!(refused(&world, of_user), CertificateProblem::OfUser);
    let with_option = |builder: &mut Builder| {
        named(builder);
        builder
            .critical_option("only-on@example.com", "Sunday")
            .unwrap();
    };
    assert_eq!(
        refused(&world, world.certificate(with_option)),
        CertificateProblem::CriticalOptions(r#""only-on@example.com""#.to_owned())
    );
    let with_extension = |builder: &mut Builder| {
        named(builder);
        builder.extension("anything@example.com", "").unwrap();
    };
    let certificate = world.certificate(with_extension);
    assert_eq!(check(&world.pinned(), certificate), Ok(()));
}

/// Whoever knows the authority's public key can write it into a certificate.
#[test]
fn a_certificate_that_the_authority_did_not_sign_is_refused() {
    let world = World::new();
    let good = world.certificate(named).to_bytes().unwrap();
    let name = good
        .windows(HOST.len())
        .position(|it| it == HOST.as_bytes());
    let mut forged = good.clone();
    // Another case of a letter of the name: the same host, and another text than was signed.
    forged[name.unwrap()] = b'S';
    let forged = Certificate::from_bytes(&forged).unwrap();
    assert_eq!(refused(&world, forged), CertificateProblem::Signature);
}

#[test]
fn revoked_holds_for_the_key_in_a_certificate_and_for_its_authority() {
    let world = World::new();
    let authority = world.authority();
    let host = world.host.public_key().to_openssh().unwrap();
    for revoked in [&authority, &host] {
        // The key itself is pinned, too: that does not help.
        let text = format!("@cert-authority * {authority}\n{host}\n@revoked * {revoked}");
        let certificate = world.certificate(named);
        assert_eq!(check(&pinned(&text), certificate), Err(Distrust::Revoked));
    }
}

/// A farm that has some certificates, and keys that were pinned before.
#[test]
fn a_key_that_is_pinned_is_trusted_whatever_its_certificate() {
    let world = World::new();
    let host = world.host.public_key().to_openssh().unwrap();
    let certificate = world.lasting(1, 2, named);
    assert_eq!(check(&pinned(&host), certificate), Ok(()));
}

#[test]
fn names_of_a_certificate_are_cut_and_escaped() {
    let world = World::new();
    let odd = |builder: &mut Builder| {
        builder.valid_principal("a\nb").unwrap();
        for _ in 0..10 {
            builder.valid_principal("x".repeat(10_000)).unwrap();
        }
    };
    let problem = refused(&world, world.certificate(odd)).to_string();
    assert!(
        problem.contains(r"a\nb") && problem.len() < 400,
        "{problem}"
    );
}
