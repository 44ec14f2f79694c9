//! What a result was measured on.

/// Processor, cores and operating system, in one line.
pub fn describe() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':')).map_or(std::env::consts::ARCH, |(_, m)| m.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores, {}", std::env::consts::OS)
}

/// The most memory that this process has held, in bytes; 0 where the system does not tell.
pub fn peak_rss() -> u64 {
    in_status("VmHWM:")
}

fn in_status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(field));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The memory that this process holds, in bytes; 0 where the system does not tell.
pub fn rss() -> u64 {
    in_status("VmRSS:")
}

/// Seconds of processor time that this process has used, all its threads and the system's work for it included; 0 where the system does
/// not tell. Linux counts it in hundredths.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name, in brackets, may hold anything; 11 fields lie between it and the two times.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Version and commit of this build.
pub fn version() -> String {
    format!("{} ({})", env!("CARGO_PKG_VERSION"), commit())
}

/// The commit that this binary was built from.
pub fn commit() -> &'static str {
    env!("TREFOIL_COMMIT")
}
