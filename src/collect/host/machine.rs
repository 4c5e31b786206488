//! Whether a machine is a virtual one, whose disks may be encrypted from outside without a trace in it.

use super::roots::{self, Roots};
use crate::model::Fact;

/// Words in the names of makers of virtual machines.
const VIRTUAL: [&str; 13] = [
    "amazon",
    "google",
    "microsoft corporation",
    "qemu",
    "kvm",
    "vmware",
    "xen",
    "innotek",
    "virtualbox",
    "openstack",
    "digitalocean",
    "hetzner",
    "alibaba",
];

/// `physical` or `virtual`, from what the processor and the firmware say.
pub fn kind(roots: &Roots) -> Fact<String> {
    let said = |word: &str| Fact::Known(word.to_owned());
    if matches!(roots::line(&roots.sys.join("hypervisor/type")), Ok(Some(_))) {
        return said("virtual");
    }
    let processor = roots::head(&roots.proc.join("cpuinfo"), 16 * 1024).unwrap_or_default();
    let processor = String::from_utf8_lossy(&processor).into_owned();
    let flags = processor.lines().find(|line| line.starts_with("flags"));
    if flags.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor")) {
        return said("virtual");
    }
    let maker = |name: &str| roots::line(&roots.sys.join("class/dmi/id").join(name)).ok().flatten();
    let makers: Vec<String> = ["sys_vendor", "product_name", "board_vendor"].into_iter().filter_map(maker).collect();
    let all = makers.join(" ").to_lowercase();
    if VIRTUAL.iter().any(|word| all.contains(word)) {
        return said("virtual");
    }
    match (flags, makers.is_empty()) {
        (Some(_), _) | (None, false) => said("physical"),
        (None, true) => Fact::unknown("neither the processor nor the firmware says whether this is a virtual machine"),
    }
}
