//! This project's `bootstrap` as Lambda runs it: a process, and events.

use std::time::{Duration, Instant};

use testkit::runtime_api::{Bootstrap, Invocation, Outcome, RuntimeApi};
use testkit::s3::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::errand::Errand;
use crate::meter::{Meter, Reading};
use crate::payload::Payload;
use crate::proc;
use crate::s3_process::SECRETS;
use crate::spent::Spent;
use crate::workload::Start;
use crate::world::{KEY, World};

/// The longest that Lambda gives.
const TIME: Duration = Duration::from_secs(900);

/// What a warm process has delivered before.
const WARM_UP: Payload = Payload::one(1024);

/// What it took to deliver, and what the servers spent meanwhile.
pub(crate) async fn deliver(
    errand: &Errand,
    world: &mut World,
) -> Result<(Spent, Reading), String> {
    let api = RuntimeApi::start().await;
    let first = FirstByte::listen()?;
    let port = match errand.start {
        Start::FirstByte => first.port,
        Start::Poll | Start::Cold | Start::Warm => errand.port,
    };
    let env = environment(errand, world, port);
    let invocation = Invocation::new(errand.event.clone());
    let meter = Meter::begin(world)?;
    let begun = Instant::now();
    let process = Bootstrap::spawn(&world.bootstrap, &api, env);
    let (spent, meter) = match errand.start {
        Start::Poll => {
            api.polled().await;
            (spent(begun, Duration::ZERO, &process), meter)
        }
        Start::FirstByte => {
            api.polled().await;
            let cpu_before = cpu(&process);
            let begun = Instant::now();
            let invocation = invocation.time(TIME);
            tokio::select! {
                arrived = first.arrives() => arrived?,
                outcome = api.run(&invocation) => {
                    return Err(format!("the function did not connect: {outcome:?}"));
                }
            }
            (spent(begun, cpu_before, &process), meter)
        }
        Start::Cold => {
            answered(&api, invocation).await?;
            (spent(begun, Duration::ZERO, &process), meter)
        }
        Start::Warm => {
            warm_up(&api, world).await?;
            world.s3.put(errand.payload)?;
            // The servers' time counts from before the warm-up: its connection is the one that is measured.
            let cpu_before = cpu(&process);
            let begun = Instant::now();
            answered(&api, invocation).await?;
            (spent(begun, cpu_before, &process), meter)
        }
    };
    // It keeps its connection, and the server's programs count only once they have ended.
    drop(process);
    Ok((spent, meter.end(world)?))
}

async fn warm_up(api: &RuntimeApi, world: &mut World) -> Result<(), String> {
    let event = world.s3.put(WARM_UP)?;
    answered(api, Invocation::new(event)).await?;
    crate::arrival::check(world.home(), WARM_UP, true)?;
    crate::arrival::clear(world.home())
}

async fn answered(api: &RuntimeApi, invocation: Invocation) -> Result<(), String> {
    match api.run(&invocation.time(TIME)).await {
        Outcome::Response(_) => Ok(()),
        other => Err(format!("the function answered {other:?}")),
    }
}

fn spent(begun: Instant, cpu_before: Duration, process: &Bootstrap) -> Spent {
    let wall = begun.elapsed();
    Spent {
        wall,
        cpu: cpu(process).saturating_sub(cpu_before),
        // All that it ever had, the event before included.
        peak_memory: process.peak_memory(),
    }
}

fn cpu(process: &Bootstrap) -> Duration {
    proc::cpu(process.pid()).unwrap_or_default().total()
}

/// A server that is waited for, and says nothing itself.
struct FirstByte {
    listener: TcpListener,
    port: u16,
}

impl FirstByte {
    fn listen() -> Result<Self, String> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0));
        let listener = listener.and_then(|listener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        });
        let listener = listener.map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?;
        Ok(Self {
            listener,
            port: port.port(),
        })
    }

    /// Waits for the first byte of the first client.
    async fn arrives(&self) -> Result<(), String> {
        let arrived = async {
            let (mut client, _) = self.listener.accept().await?;
            client.read_u8().await
        };
        arrived.await.map(drop).map_err(|error| error.to_string())
    }
}

fn environment(errand: &Errand, world: &World, port: u16) -> Vec<(String, String)> {
    let account = &world.account;
    [
        ("AWS_ENDPOINT_URL", world.s3.endpoint()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_REGION", REGION),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            &errand.memory_mib.to_string(),
        ),
        ("SSH_HOST", &account.host),
        ("SSH_PORT", &port.to_string()),
        ("SSH_USERNAME", &account.username),
        ("SSH_PRIVATE_KEY", &format!("{SECRETS}:{KEY}")),
        ("SSH_HOST_KEY", &account.host_key),
        ("SSH_DIR", account.dir.as_deref().unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
