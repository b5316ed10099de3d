//! A sweep under a real Slurm, whose daemons run on this machine as whoever runs the test. Where they are not installed the
//! test counts as ignored, by name.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

/// What must be installed: Debian's packages slurm-wlm and munge.
const DAEMONS: [&str; 3] = ["munged", "slurmctld", "slurmd"];

/// 24 cells: three warm-ups and seven searches of each.
const SPEC: &str = r#"
name = "under slurm"

[options]
task = "fashion"
epochs = "1/1/1"
simulate = 1
seed = [1, 2, 3]

[[search]]
granularity = ["channel", "layer"]
target = "cycles=500k"

[[search]]
granularity = "width"
fixed = ["w2a4", "w4a4"]
target = "cycles=400k"

[[search]]
granularity = "fixed"
fixed = ["w2a2", "w4a4", "w8a8"]
"#;

fn main() {
    let missing: Vec<&str> = DAEMONS.into_iter().filter(|d| daemon(d).is_none()).collect();
    if !missing.is_empty() {
        eprintln!("not installed: {}; on Debian: apt-get install slurm-wlm munge", missing.join(", "));
    }
    let test = Trial::test("killed_workers_and_a_restarted_controller_change_nothing", disturbed);
    libtest_mimic::run(&Arguments::from_args(), vec![test.with_ignored_flag(!missing.is_empty())]).exit();
}

/// Where a daemon lies; the path of people who are not root often leaves these folders out.
fn daemon(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin", "/usr/local/sbin"]).map(PathBuf::from);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn run(command: &mut Command) -> Result<String, Failed> {
    let out = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let [said, error] = [&out.stdout, &out.stderr].map(|b| String::from_utf8_lossy(b).into_owned());
    Err(format!("{command:?} ended with {}\n{said}{error}", out.status).into())
}

/// Munge, a controller and a node.
struct Cluster {
    folder: TempDir,
}

impl Cluster {
    fn start() -> Result<Self, Failed> {
        let cluster = Self { folder: tempfile::tempdir()? };
        let folder = cluster.folder.path();
        fs::write(folder.join("munge.key"), [0x5a; 64])?;
        #[cfg(unix)]
        fs::set_permissions(folder.join("munge.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let file = |name: &str| folder.join(name).display().to_string();
        let mut munged = Command::new(daemon("munged").expect("looked for"));
        munged.arg("--force");
        for (option, name) in [
            ("key-file", "munge.key"),
            ("socket", "munge.socket"),
            ("pid-file", "munged.pid"),
            ("log-file", "munged.log"),
            ("seed-file", "munge.seed"),
        ] {
            munged.arg(format!("--{option}={}", file(name)));
        }
        run(&mut munged)?;
        let host = run(Command::new("hostname").arg("-s"))?.trim().to_owned();
        let user = run(Command::new("id").arg("-un"))?.trim().to_owned();
        let [controller, node] =
            [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()));
        for folder in ["state", "spool"] {
            fs::create_dir(cluster.folder.path().join(folder))?;
        }
        let conf = format!(
            "ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={}
SlurmdPort={}
AuthType=auth/munge
AuthInfo=socket={}
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={}
SlurmdSpoolDir={}
SlurmctldPidFile={}
SlurmdPidFile={}
SlurmctldLogFile={}
SlurmdLogFile={}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MailProg=/bin/true
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
",
            controller?.port(),
            node?.port(),
            file("munge.socket"),
            file("state"),
            file("spool"),
            file("slurmctld.pid"),
            file("slurmd.pid"),
            file("slurmctld.log"),
            file("slurmd.log"),
        );
        fs::write(cluster.conf(), conf)?;
        cluster.control()?;
        run(cluster.command(daemon("slurmd").expect("looked for")).stdin(Stdio::null()))?;
        Ok(cluster)
    }

    fn conf(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    /// A command that finds the cluster.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.conf());
        command
    }

    /// Starts the controller.
    fn control(&self) -> Result<(), Failed> {
        run(&mut self.command(daemon("slurmctld").expect("looked for")))?;
        let start = Instant::now();
        while self
            .command("scontrol")
            .arg("ping")
            .output()?
            .stdout
            .windows(7)
            .all(|w| w != b"is UP\n\n" && w != b" is UP\n")
        {
            if start.elapsed() > Duration::from_secs(30) {
                let log = fs::read_to_string(self.folder.path().join("slurmctld.log")).unwrap_or_default();
                return Err(format!("the controller does not answer:\n{log}").into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn end(&self, daemon: &str) {
        let pid =
            fs::read_to_string(self.folder.path().join(daemon).with_extension("pid")).unwrap_or_default();
        if let Some(pid) = pid.trim().parse().ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let start = Instant::now();
            while rustix::process::test_kill_process(pid).is_ok() && start.elapsed() < Duration::from_secs(20)
            {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Jobs that wait or run.
    fn jobs(&self) -> Result<usize, Failed> {
        Ok(run(self.command("squeue").args(["--noheader", "--array"]))?.lines().count())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.command("scancel").args(["--state=PENDING", "--name=under slurm"]).output();
        for daemon in ["slurmctld", "slurmd", "munged"] {
            self.end(daemon);
        }
    }
}

fn nas_search(dir: &Path, cluster: Option<&Cluster>, args: &[&str]) -> Result<String, Failed> {
    let program = assert_cmd::cargo::cargo_bin("nas-search");
    let mut command = cluster.map_or_else(|| Command::new(&program), |c| c.command(&program));
    run(command.args(args).current_dir(dir))
}

/// The processes that work on a sweep.
fn workers(dir: &Path) -> Vec<rustix::process::Pid> {
    let sweep = dir.join("sweep").display().to_string();
    let of = |entry: std::io::Result<fs::DirEntry>| {
        let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<_> = line.split(|b| *b == 0).map(String::from_utf8_lossy).collect();
        let is_worker =
            words.first().is_some_and(|w| w.ends_with("nas-search")) && words.iter().any(|w| *w == sweep);
        is_worker.then(|| rustix::process::Pid::from_raw(pid)).flatten()
    };
    fs::read_dir("/proc").map(|all| all.filter_map(of).collect()).unwrap_or_default()
}

fn done(dir: &Path, cluster: &Cluster) -> Result<u64, Failed> {
    let status: serde_json::Value =
        serde_json::from_str(&nas_search(dir, Some(cluster), &["status", "sweep", "--json"])?)?;
    if status["failed"].as_array().is_none_or(|failed| !failed.is_empty()) {
        return Err(format!("cells failed: {status}").into());
    }
    status["done"].as_u64().ok_or_else(|| "no number of cells".into())
}

/// Sends a running task the signal that Slurm sends before the time limit; whether Slurm then has it in its queue again.
fn back_in_the_queue(cluster: &Cluster) -> Result<bool, Failed> {
    let running =
        run(cluster.command("squeue").args(["--noheader", "--array", "--states=RUNNING", "--format=%i"]))?;
    let Some(task) = running.lines().next().map(str::trim) else { return Ok(false) };
    run(cluster.command("scancel").args(["--batch", "--signal=USR1", task]))?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        let told = run(cluster.command("scontrol").args(["--oneliner", "show", "job", task]))?;
        if told.split_whitespace().any(|word| word == "Restarts=1") {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Err(format!("task {task} did not go back into the queue").into())
}

fn disturbed() -> Result<(), Failed> {
    let [calm, slurm] = [(); 2].map(|()| tempfile::tempdir());
    let (calm, slurm) = (calm?, slurm?);
    for dir in [calm.path(), slurm.path()] {
        fs::write(dir.join("spec.toml"), SPEC)?;
        nas_search(dir, None, &["plan", "spec.toml", "--out", "sweep"])?;
    }
    nas_search(calm.path(), None, &["work", "sweep", "--jobs", "2"])?;

    let cluster = Cluster::start()?;
    let dir = slurm.path();
    let start = Instant::now();
    let (mut killed, mut restarted, mut told) = (0, false, false);
    while done(dir, &cluster)? < 24 {
        // The first time all of it, then what tasks left that were killed.
        if cluster.jobs()? == 0 {
            nas_search(
                dir,
                Some(&cluster),
                &["submit", "sweep", "--slurm", "--chunk", "4", "--throttle", "2"],
            )?;
            let status = nas_search(dir, Some(&cluster), &["status", "sweep"])?;
            if !(status.contains("pending") || status.contains("running")) {
                return Err(format!("the scheduler's view is missing:\n{status}").into());
            }
        }
        std::thread::sleep(Duration::from_millis(1500));
        if !told && !workers(dir).is_empty() {
            told = back_in_the_queue(&cluster)?;
        } else if killed < 5
            && let Some(&worker) = workers(dir).first()
        {
            rustix::process::kill_process(worker, rustix::process::Signal::KILL)?;
            killed += 1;
        } else if killed >= 2 && !restarted {
            cluster.end("slurmctld");
            cluster.control()?;
            restarted = true;
        }
        if start.elapsed() > Duration::from_secs(900) {
            let log = fs::read_to_string(cluster.folder.path().join("slurmd.log")).unwrap_or_default();
            return Err(format!("not done after 15 minutes:\n{log}").into());
        }
    }
    if killed < 5 || !restarted || !told {
        return Err(format!(
            "{killed} workers killed, controller restarted: {restarted}, task told to stop: {told}"
        )
        .into());
    }
    for dir in [calm.path(), dir] {
        nas_search(dir, None, &["report", "sweep", "--out", "report"])?;
    }
    let pareto = |dir: &Path| fs::read(dir.join("report/pareto.json"));
    if pareto(calm.path())? != pareto(dir)? {
        return Err("the reports differ".into());
    }
    Ok(())
}
