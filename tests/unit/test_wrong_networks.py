"""Everything a person gets wrong about network cards and attachments ends in a place, a sentence and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from gedge_provision.models.errors import DocumentError
from gedge_provision.provisioning import load_site

GOOD = """\
name: seoul-1
networks:
  pods: 10.244.0.0/16
  services: 10.96.0.0/16
  attachments:
    - name: fast
      type: sriov
      resource: intel.com/vf
      vlan: 7
      ipam:
        type: whereabouts
        range: 10.10.2.0/24
        range_start: 10.10.2.10
        range_end: 10.10.2.99
        exclude: [10.10.2.16/28]
    - name: shared
      type: macvlan
      master: ens1
      ipam: {type: static, addresses: [10.10.3.5/24]}
node_classes:
  plain: {}
  ai:
    sriov:
      - name: data
        nics: {vendor: '8086', device: '1592'}
        vfs: 4
        resource: intel.com/vf
      - name: user
        nics: {interfaces: [ens9], numa_nodes: [1]}
        vfs: 2
        resource: intel.com/dpdk
        device_type: vfio-pci
nodes:
  - {name: m1, address: 192.168.40.11, roles: [control_plane], node_class: plain}
  - {name: w1, address: 192.168.40.21, node_class: ai}
  - {name: w2, address: 192.168.40.22, node_class: ai}
"""

# What is written instead of what; then field, message, remedy (each a part of the text).
CASES = [
    # cards
    ("vendor: '8086'", "vendor: 8086", "nics.vendor", "8086 is no PCI id", "four hexadecimal digits"),
    ("device: '1592'", "device: '0x1592'", "nics.device", "is no PCI id", "four hexadecimal digits"),
    ("interfaces: [ens9]", "addresses: ['41:00.0']", "nics.addresses[0]", "is no PCI address", "lspci -D"),
    ("[ens9]", "['a name that is long']", "nics.interfaces[0]", "is no name of an interface", "at most 15"),
    ("{vendor: '8086', device: '1592'}", "{}", "sriov[0].nics", "selects every network card", "name vendor and device"),
    ("vfs: 4", "vfs: 0", "sriov[0].vfs", "0 is out of range", "from 1"),
    ("vfs: 4", "vfs: 300", "sriov[0].vfs", "300 is out of range", "up to 256"),
    ("vfs: 4", "vfs: true", "sriov[0].vfs", "must be a whole number, is true", "digits only"),
    ("vfs: 4", "vfs: '4'", "sriov[0].vfs", "must be a whole number, is the text '4'", "digits only"),
    ("vfs: 4", "vfs: 4\n        trust: 1", "sriov[0].trust", "must be true or false, is the int 1", "true or false"),
    ("vfs: 4", "vfs: 4\n        vlan: 4095", "sriov[0].vlan", "4095 is out of range", "up to 4094"),
    ("vfs: 4", "vfs: 4\n        mtu: 12000", "sriov[0].mtu", "12000 is out of range", "up to 9978"),
    ("vfs: 4", "vfs: 4\n        trsut: true", "sriov[0].trsut", "unknown key", "did you mean 'trust'?"),
    ("vfio-pci", "uio", "sriov[1].device_type", "'uio' is not possible here", "netdevice, vfio-pci"),
    ("        resource: intel.com/dpdk\n", "", "sriov[1]", "user names no resource, and data does", "in none"),
    ("intel.com/dpdk", "intel.com/vf", "sriov[1].resource", "is netdevice in policy data", "its own resource"),
    (
        "resource: intel.com/dpdk\n        device_type: vfio-pci",
        "resource: intel.com/vf\n        rdma: true",
        "sriov[1].resource",
        "is netdevice in policy data and netdevice with RDMA here",
        "its own resource",
    ),
    ("intel.com/dpdk", "intel.com/my-vf", "sriov[1].resource", "device plugin does not take", "letters, digits"),
    ("intel.com/dpdk", "vf", "sriov[1].resource", "'vf' is no resource", "PREFIX/NAME"),
    ("intel.com/dpdk", "kubernetes.io/vf", "sriov[1].resource", "belongs to Kubernetes", "of your own"),
    (
        "device_type: vfio-pci",
        "device_type: vfio-pci\n        owner: operator",
        "sriov[1]",
        "cards of user are the operator's, and those of data the host's",
        "a class of their own",
    ),
    (
        "  plain: {}",
        "  plain: {labels: {gedge.dev/sriov-owner: operator}}",
        "plain.labels.gedge.dev/sriov-owner",
        "gedge.dev/sriov-owner is set by what the site file says",
        "take it out",
    ),
    (
        "node_class: ai}",
        "node_class: ai, labels: {gedge.dev/node-class: plain}}",
        "nodes[1].labels.gedge.dev/node-class",
        "gedge.dev/node-class is set by what the site file says",
        "take it out",
    ),
    ("- name: user", "- name: data", "sriov[1].name", "is the name of sriov[0]", "rename"),
    (
        "nics: {vendor: '8086', device: '1592'}\n        vfs: 4",
        "nics: {interfaces: [ens9]}\n        vfs: 4\n        owner: operator",
        "sriov[1].nics.interfaces",
        "ens9 is selected by sriov[0] (data) too (owners operator and host)",
        "has one policy",
    ),
    (
        "  ai:\n",
        "  ai:\n    kernel_arguments: [iommu=pt, intel_iommu=off]\n",
        "ai.kernel_arguments[1]",
        "intel_iommu=off leaves policy user (vfio-pci) without the IOMMU",
        "take it out",
    ),
    (
        "  ai:\n",
        "  ai:\n    kernel_arguments: [isolcpus=2-3, nohz_full=2-3, isolcpus=2-5]\n",
        "ai.kernel_arguments[2]",
        "isolcpus=2-5 contradicts isolcpus=2-3",
        "keep one",
    ),
    (
        "  ai:\n",
        f"  ai:\n    kernel_arguments: [a={'b' * 2000}, c={'d' * 50}]\n",
        "ai.kernel_arguments",
        "2055 characters are more than a kernel reads",
        "fewer",
    ),
    ("vfio-pci", "vfio-pci\n        rdma: true", "sriov[1].rdma", "vfio-pci has are no RDMA devices", "netdevice"),
    (
        "{interfaces: [ens9], numa_nodes: [1]}",
        "{device: '1592', vendor: '8086'}",
        "sriov[1].nics",
        "it selects the same cards as sriov[0] (data)",
        "has one policy",
    ),
    ("intel.com/dpdk", "rdma/soft_rdma", "sriov[1].resource", "is the resource of RDMA in software", "another name"),
    (
        "  ai:\n",
        "  ai:\n    shared_rdma: [{resource: rdma/soft_rdma, nics: {driver: ice}}]\n",
        "shared_rdma[0].resource",
        "is the resource of RDMA in software",
        "another name",
    ),
    # attachments
    ("type: macvlan", "type: macvtap", "attachments[1].type", "'macvtap' is not possible here", "macvlan"),
    ("master: ens1", "mtu: 1500", "attachments[1]", "macvlan needs master", "add master"),
    ("master: ens1", "master: ens1\n      mode: l2", "attachments[1].mode", "has no mode 'l2'", "bridge, private"),
    ("master: ens1", "master: ens1\n      resource: intel.com/vf", "[1].resource", "does not take resource", "sriov"),
    ("- name: shared", "- name: fast", "attachments[1].name", "stands at attachments[0] already", "its own name"),
    (
        "type: macvlan",
        "type: macvlan\n      node_classes: [gpu]",
        "node_classes[0]",
        "no node class 'gpu'",
        "ai, plain",
    ),
    ("vlan: 7", "vlan: 5000", "attachments[0].vlan", "5000 is out of range", "up to 4094"),
    ("vlan: 7", "vlan_qos: 3", "attachments[0].vlan_qos", "a priority needs a VLAN", "add vlan"),
    ("vlan: 7", "bandwidth: {ingress_rate: 1000000}", "attachments[0].bandwidth", "does not take", "macvlan"),
    (
        "resource: intel.com/vf\n      vlan",
        "resource: intel.com/fpga\n      vlan",
        "[0].resource",
        "no SR-IOV policy",
        "use one of",
    ),
    (
        "type: macvlan\n      master",
        "type: bridge\n      bridge: cni0\n      # master",
        "[1].bridge",
        "the pod network itself",
        "another name",
    ),
    ("type: macvlan", "type: ipvlan\n      rdma: soft", "[1].rdma", "ipvlan does not take rdma", "sriov"),
    ("vlan: 7", "rdma: hard", "[0].rdma", "'hard' is not possible here", "soft"),
    (
        "intel.com/vf\n      vlan: 7",
        "intel.com/dpdk\n      rdma: soft",
        "[0].rdma",
        "functions of policy user (vfio-pci) are no interfaces",
        "netdevice",
    ),
    (
        "master: ens1\n      ipam: {type: static, addresses: [10.10.3.5/24]}",
        "master: ens1\n      rdma: soft",
        "[1].rdma",
        "finds its peers by addresses",
        "set ipam.type",
    ),
    ("vlan: 7", "rdma: exclusive", "[0].rdma", "policy data gives functions without RDMA", "set rdma: true in policy"),
    (
        "master: ens1",
        "master: ens1\n      rdma: exclusive",
        "[1].rdma",
        "macvlan has no RDMA device",
        "on sriov, or soft",
    ),
    (
        "  plain: {}",
        "  plain:\n    shared_rdma: [{resource: rdma/a, nics: {numa_nodes: [0]}}]",
        "shared_rdma[0].nics.numa_nodes",
        "does not select by numa_nodes",
        "use vendor, device",
    ),
    (
        "  plain: {}",
        "  plain:\n    shared_rdma: [{resource: rdma/a, nics: {}}]",
        "shared_rdma[0].nics",
        "it selects nothing",
        "name vendor and device",
    ),
    (
        "  plain: {}",
        "  plain:\n    shared_rdma: [{resource: a.io/hca, nics: {driver: a}}, {resource: b.io/hca, nics: {driver: b}}]",
        "shared_rdma[1].resource",
        "takes the name hca once, whatever the prefix",
        "another name",
    ),
    (
        "  ai:\n",
        "  ai:\n    shared_rdma: [{resource: intel.com/vf, nics: {driver: ice}}]\n",
        "shared_rdma[0].resource",
        "is the resource of an SR-IOV policy too",
        "its own resource",
    ),
    (
        "  plain: {}",
        "  plain:\n    shared_rdma: [{resource: rdma/a, nics: {driver: a}, pods: 0}]",
        "shared_rdma[0].pods",
        "0 is out of range",
        "from 1",
    ),
    ("vlan: 7", "min_tx_rate: 9\n      max_tx_rate: 5", "[0].min_tx_rate", "more than max_tx_rate 5", "exchange"),
    (
        "vlan: 7",
        "node_classes: [plain]",
        "[0].node_classes[0]",
        "no policy of class plain offers intel.com/vf",
        "add a",
    ),
    ("vlan: 7", "node_classes: []", "[0].node_classes", "the list is empty", "name classes"),
    ("vlan: 7", "namespace: gedge-perf", "[0].namespace", "made and removed by gedge's own", "another"),
    ("master: ens1", "master: ens1\n      bandwidth: {}", "[1].bandwidth", "it limits nothing", "a rate and its burst"),
    (
        "master: ens1",
        f"master: ens1\n      bandwidth: {{ingress_rate: {10**20}, ingress_burst: 1}}",
        "[1].bandwidth.ingress_rate",
        "is out of range",
        "up to 1000000000000000",
    ),
    (
        "master: ens1",
        f"master: ens1\n      bandwidth: {{ingress_rate: 1000, ingress_burst: {8 * 2**32}}}",
        "[1].bandwidth.ingress_burst",
        "is out of range",
        "up to 34359738359",
    ),
    ("master: ens1", "master: lo", "[1].master", "lo is the loopback interface", "another name"),
    ("master: ens1", "master: cni0", "[1].master", "cni0 is the bridge of the pod network", "another name"),
    ("master: ens1", "master: flannel.1", "[1].master", "flannel.1 carries the pod network", "another name"),
    ("master: ens1", "master: é0", "[1].master", "'é0' is no name of an interface", "ip link"),
    (
        "type: macvlan\n      master: ens1",
        "type: host-device\n      device: ens9",
        "[1].device",
        "ens9 would move into a pod, and policy user is on it",
        "another interface",
    ),
    (
        "- name: shared",
        "- {name: card, type: host-device, device: ens1}\n    - name: shared",
        "[1].device",
        "ens1 would move into a pod, and attachments[2] (shared) is on it",
        "narrow one of both by node_classes",
    ),
    (
        "  plain: {}",
        f"  plain:\n    shared_rdma: [{{resource: {'a' * 245}/a, nics: {{driver: a}}}}]",
        "shared_rdma[0].resource",
        "is too long for a prefix",
        "at most 244",
    ),
    ("intel.com/dpdk", "requests.intel.com/vf", "sriov[1].resource", "belongs to Kubernetes", "of your own"),
    ("intel.com/dpdk", "my.kubernetes.io/vf", "sriov[1].resource", "belongs to Kubernetes", "of your own"),
    ("vendor: '8086'", "vendor: 15B3", "nics.vendor", "'15B3' is no PCI id", "lower case"),
    ("- name: shared", f"- name: {'a' * 300}", "[1].name", f"'{'a' * 70}...' is no name", "at most 63"),
    # addresses
    ("10.10.2.0/24\n", "10.244.3.0/24\n", "[0].ipam.range", "overlaps networks.pods 10.244.0.0/16", "of its own"),
    ("10.10.2.0/24\n", "10.96.3.0/24\n", "[0].ipam.range", "overlaps networks.services", "of its own"),
    ("10.10.2.0/24\n", "192.168.40.0/24\n", "[0].ipam.range", "holds the address 192.168.40.11 of m1", "another range"),
    ("10.10.2.0/24\n", "10.10.2.1/24\n", "[0].ipam.range", "names an address inside the range", "write 10.10.2.0/24"),
    ("range_end: 10.10.2.99", "range_end: 10.10.9.99", "ipam.range_end", "is outside the range", "of the range"),
    (
        "type: macvlan",
        "type: macvlan\n      node_classes: [plain]",
        "attachments[1].node_classes",
        "no worker is of class plain",
        "a class of workers",
    ),
    ("range_end: 10.10.2.99", "range_end: 10.10.2.9", "ipam.range_end", "comes before 10.10.2.10", "exchange"),
    ("[10.10.2.16/28]", "[10.10.9.16/28]", "ipam.exclude[0]", "is no part of 10.10.2.0/24", "part of the range"),
    (
        "        range: 10.10.2.0/24\n        range_start",
        "        range_start",
        "[0].ipam",
        "whereabouts needs a range",
        "add range",
    ),
    ("[10.10.3.5/24]", "[10.10.3.5]", "[1].ipam.addresses[0]", "is no address with its prefix", "10.10.2.60/24"),
    ("[10.10.3.5/24]", "[10.10.3.500/24]", "[1].ipam.addresses[0]", "is no IPv4 address", "up to 255"),
    (
        "{type: static, addresses: [10.10.3.5/24]}",
        "{type: static, range: 10.10.3.0/24}",
        "[1].ipam.range",
        "static does not take range",
        "host-local, whereabouts",
    ),
    (
        "{type: static, addresses: [10.10.3.5/24]}",
        "{type: host-local, range: 10.10.3.0/24}",
        "[1].ipam.type",
        "w1, w2 would give the same addresses away",
        "use whereabouts",
    ),
    (
        "{type: static, addresses: [10.10.3.5/24]}",
        "{type: dhcp, range: 10.10.3.0/24}",
        "[1].ipam.range",
        "dhcp does not take range",
        "host-local, whereabouts",
    ),
    (
        "{type: static, addresses: [10.10.3.5/24]}",
        "{type: dhcp, routes: [{destination: 10.9.0.0/16}]}",
        "[1].ipam.routes",
        "dhcp does not take routes",
        "it is for host-local",
    ),
    (
        "type: macvlan\n      master: ens1\n      ipam: {type: static, addresses: [10.10.3.5/24]}",
        "type: ipvlan\n      master: ens1\n      ipam: {type: dhcp}",
        "[1].ipam.type",
        "no answer of a DHCP server reaches it",
        "use macvlan",
    ),
    (
        "{type: static, addresses: [10.10.3.5/24]}",
        "{type: whereabouts, range: 10.10.2.0/25}",
        "[1].ipam.range",
        "10.10.2.0/25 overlaps 10.10.2.0/24 of attachments[0]",
        "its own range",
    ),
    ("[10.10.3.5/24]", "[10.10.3.5/24, 10.10.3.5/24]", "ipam.addresses[1]", "10.10.3.5/24 stands twice", "keep one"),
    ("[10.10.3.5/24]", "[10.10.3.0/24]", "ipam.addresses[0]", "10.10.3.0/24 is no host's address", "between"),
    ("[10.10.3.5/24]", "[10.10.3.255/24]", "ipam.addresses[0]", "10.10.3.255/24 is no host's address", "between"),
    ("[10.10.3.5/24]", "[10.10.3.5/0]", "ipam.addresses[0]", "0.0.0.0/0 overlaps networks.pods", "of its own"),
    ("[10.10.3.5/24]", "[10.244.9.5/24]", "ipam.addresses[0]", "overlaps networks.pods", "of its own"),
    ("[10.10.3.5/24]", "[192.168.40.90/24]", "ipam.addresses[0]", "holds the address 192.168.40.21 of w1", "another"),
    ("[10.10.3.5/24]", "[10.10.2.60/24]", "ipam.addresses[0]", "attachments[0] gives 10.10.2.60 away", "leaves out"),
    (
        "addresses: [10.10.3.5/24]}",
        "addresses: [10.10.3.5/24], gateway: 10.10.4.1}",
        "[1].ipam.gateway",
        "10.10.4.1 is in no network of the addresses",
        "their network",
    ),
    ("addresses: [10.10.3.5/24]}", "gateway: 10.10.3.1}", "[1].ipam.gateway", "pod's annotation names", "of routes"),
    ("10.10.2.0/24\n", "10.10.2.0/31\n", "[0].ipam.range", "has no address to give away", "/30 or wider"),
    ("10.10.2.0/24\n", "127.10.2.0/24\n", "[0].ipam.range", "has loopback addresses", "a private range"),
    ("10.10.2.0/24\n", "224.10.2.0/24\n", "[0].ipam.range", "has multicast addresses", "a private range"),
    ("[10.10.2.16/28]", "[10.10.2.0/25]", "[0].ipam.exclude", "nothing of 10.10.2.0/24 is left", "exclude less"),
    (
        "range_end: 10.10.2.99",
        "range_end: 10.10.2.99\n        gateway: 10.10.2.0",
        "[0].ipam.gateway",
        "10.10.2.0 is no host's address",
        "between",
    ),
    (
        "range_end: 10.10.2.99",
        "range_end: 10.10.2.99\n        gateway: 10.10.2.12",
        "[0].ipam.gateway",
        "whereabouts would give 10.10.2.12 to a pod",
        "add 10.10.2.12/32 to exclude",
    ),
    (
        "node_classes:\n  plain",
        "control_plane: {virtual_ip: 10.10.2.5}\nnode_classes:\n  plain",
        "[0].ipam.range",
        "holds control_plane.virtual_ip 10.10.2.5",
        "another",
    ),
    (
        "[10.10.3.5/24]}",
        "[10.10.3.5/24], routes: [{destination: 0.0.0.0/0, gateway: 10.10.3.1}]}",
        "[1].ipam.routes[0].destination",
        "default route on the pod network",
        "name the ranges",
    ),
    (
        "[10.10.3.5/24]}",
        "[10.10.3.5/24], routes: [{destination: 10.244.0.0/17}]}",
        "[1].ipam.routes[0].destination",
        "overlaps networks.pods 10.244.0.0/16",
        "beside it",
    ),
    (
        "[10.10.3.5/24]}",
        "[10.10.3.5/24], routes: [{destination: 10.0.0.0/8}]}",
        "[1].ipam.routes[0].destination",
        "overlaps networks.services 10.96.0.0/16",
        "beside it",
    ),
    (
        "[10.10.3.5/24]}",
        "[10.10.3.5/24], routes: [{destination: 10.9.0.0/16, gateway: 10.10.9.1}]}",
        "[1].ipam.routes[0].gateway",
        "10.10.9.1 is outside 10.10.3.0/24",
        "a router of that network",
    ),
]


def test_the_site_that_the_cases_spoil_is_good(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text(GOOD, encoding="utf-8")
    assert [attachment.name for attachment in load_site(path).networks.attachments] == ["fast", "shared"]


@pytest.mark.parametrize(("old", "new", "field", "message", "remedy"), CASES)
def test_a_wrong_site_names_place_and_remedy(  # noqa: PLR0913, PLR0917 - a row of the table
    tmp_path: Path, old: str, new: str, field: str, message: str, remedy: str
) -> None:
    assert old in GOOD
    path = tmp_path / "site.yml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        load_site(path)
    match = [found for found in caught.value.findings if found.path.endswith(field) and message in found.message]
    assert match, str(caught.value)
    assert remedy in match[0].remedy
    line = int(match[0].place.rpartition(":")[2])
    assert field.rsplit(".", maxsplit=1)[-1].split("[", maxsplit=1)[0] in path.read_text(encoding="utf-8").splitlines()[
        line - 1
    ] or (field.endswith("]"))


@pytest.mark.parametrize(
    "ipam",
    [
        "{type: whereabouts, range: 10.10.2.0/24}",  # one range for both, kept by the cluster
        "{type: whereabouts, range: 10.10.2.0/24, range_start: 10.10.2.100, range_end: 10.10.2.120}",
        "{type: static, addresses: [10.10.2.100/24, 10.10.2.17/24], gateway: 10.10.2.1}",  # behind its end, left out
        "{type: static, addresses: [10.10.3.6/31], routes: [{destination: 10.9.0.0/16, gateway: 10.10.3.7}]}",
        "{type: whereabouts, range: 10.10.3.0/24, gateway: 10.10.3.1, exclude: [10.10.3.1/32]}",
    ],
)
def test_attachments_may_share_a_range(tmp_path: Path, ipam: str) -> None:
    path = tmp_path / "site.yml"
    path.write_text(GOOD.replace("{type: static, addresses: [10.10.3.5/24]}", ipam), encoding="utf-8")
    assert load_site(path)


def test_an_interface_of_one_class_is_another_one_in_another(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    card = "{name: card, type: host-device, device: ens1, node_classes: [plain]}"
    text = GOOD.replace("- name: shared", f"- {card}\n    - name: shared\n      node_classes: [ai]")
    path.write_text(text.replace("roles: [control_plane]", "roles: [control_plane, worker]"), encoding="utf-8")
    assert load_site(path)


def test_a_node_shares_rdma_devices_or_gives_them_away(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    text = GOOD.replace("vlan: 7", "rdma: exclusive").replace("vfs: 4", "vfs: 4\n        rdma: true")
    path.write_text(text, encoding="utf-8")
    assert load_site(path).networks.attachments[0].rdma == "exclusive"
    shared = "  ai:\n    shared_rdma: [{resource: rdma/hca, nics: {driver: mlx5_core}}]\n"
    path.write_text(text.replace("  ai:\n", shared), encoding="utf-8")
    with pytest.raises(
        DocumentError, match="w1 would share RDMA devices, and give them to single pods for default/fast"
    ):
        load_site(path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "vfs: 4",
            "vfs: 4\n        rdma: true",
            "w1 would have RDMA in software for default/shared, .*policy data has",
        ),
        ("  ai:\n", "  ai:\n    shared_rdma: [{resource: rdma/a, nics: {driver: ice}}]\n", "RDMA in software .*shared"),
    ],
)
def test_a_node_has_rdma_in_software_or_hardware(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "site.yml"
    text = GOOD.replace("master: ens1", "master: ens1\n      rdma: soft")
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DocumentError, match=told):
        load_site(path)
    narrow = text.replace("rdma: soft", "rdma: soft\n      node_classes: [plain]").replace(old, new)
    path.write_text(narrow.replace("[control_plane]", "[control_plane, worker]"), encoding="utf-8")
    assert load_site(path)
