// What is reserved, as cmd/kubelet/app/server.go and pkg/kubelet/cm reckon; those functions are not exported.
package main

import (
	"fmt"
	"strconv"

	cadvisorapi "github.com/google/cadvisor/info/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/eviction"
	evictionapi "k8s.io/kubernetes/pkg/kubelet/eviction/api"
	"k8s.io/kubernetes/pkg/kubelet/stats/pidlimit"
	"k8s.io/utils/cpuset"
)

// reservedCPUs is getReservedCPUs of cmd/kubelet/app/server.go, and what run() does with its answer.
func reservedCPUs(config *kubeletconfig.KubeletConfiguration, machine *cadvisorapi.MachineInfo) (cpuset.CPUSet, error) {
	reserved, err := cpuset.Parse(config.ReservedSystemCPUs)
	if err != nil {
		return reserved, fmt.Errorf("unable to parse reserved-cpus list: %w", err)
	}
	online := []int{}
	for _, node := range machine.Topology {
		for _, core := range node.Cores {
			online = append(online, core.Threads...)
		}
	}
	if !reserved.IsSubsetOf(cpuset.New(online...)) {
		return reserved, fmt.Errorf("reserved-cpus: %s is not a subset of online-cpus", config.ReservedSystemCPUs)
	}
	if reserved.Size() > 0 {
		delete(config.KubeReserved, "cpu")
		if config.SystemReserved == nil {
			config.SystemReserved = map[string]string{}
		}
		config.SystemReserved["cpu"] = strconv.Itoa(reserved.Size())
	}
	return reserved, nil
}

// capacityOf is CapacityFromMachineInfo of pkg/kubelet/cadvisor, without huge pages, which nothing can reserve.
func capacityOf(machine *cadvisorapi.MachineInfo) v1.ResourceList {
	return v1.ResourceList{
		v1.ResourceCPU:    *resource.NewMilliQuantity(int64(machine.NumCores*1000), resource.DecimalSI),
		v1.ResourceMemory: *resource.NewQuantity(int64(machine.MemoryCapacity), resource.BinarySI),
	}
}

// nodeReservation is parseResourceList of cmd/kubelet/app/server.go, then GetNodeAllocatableReservation of pkg/kubelet/cm
// for CPU and memory.
func nodeReservation(config *kubeletconfig.KubeletConfiguration, machine *cadvisorapi.MachineInfo) (v1.ResourceList, error) {
	parts := []v1.ResourceList{}
	for flag, part := range map[string]map[string]string{"--kube-reserved": config.KubeReserved, "--system-reserved": config.SystemReserved} {
		parsed, err := parseResourceList(part)
		if err != nil {
			return nil, fmt.Errorf("%s value failed to parse: %w", flag, err)
		}
		parts = append(parts, parsed)
	}
	if config.EvictionHard == nil { // as loadConfigFile does
		config.EvictionHard = eviction.DefaultEvictionHard
	} else if config.MergeDefaultEvictionSettings {
		for signal, value := range eviction.DefaultEvictionHard {
			if _, exists := config.EvictionHard[signal]; !exists {
				config.EvictionHard[signal] = value
			}
		}
	}
	thresholds, err := eviction.ParseThresholdConfig([]string{}, config.EvictionHard, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	capacity := capacityOf(machine)
	result := v1.ResourceList{}
	for name, has := range capacity {
		sum := resource.NewQuantity(0, resource.DecimalSI)
		for _, part := range parts {
			sum.Add(part[name])
		}
		for _, threshold := range thresholds {
			if name == v1.ResourceMemory && threshold.Signal == evictionapi.SignalMemoryAvailable {
				sum.Add(*evictionapi.GetThresholdQuantity(threshold.Value, &has))
			}
		}
		if !sum.IsZero() {
			result[name] = *sum
		}
	}
	return result, nil
}

func parseResourceList(amounts map[string]string) (v1.ResourceList, error) {
	list := v1.ResourceList{}
	for name, text := range amounts {
		switch v1.ResourceName(name) {
		case v1.ResourceCPU, v1.ResourceMemory, v1.ResourceEphemeralStorage, pidlimit.PIDs:
			amount, err := resource.ParseQuantity(text)
			if err != nil {
				return nil, fmt.Errorf("failed to parse quantity %q for %q resource: %w", text, name, err)
			}
			if amount.Sign() == -1 {
				return nil, fmt.Errorf("resource quantity for %q cannot be negative: %v", name, text)
			}
			list[v1.ResourceName(name)] = amount
		default:
			return nil, fmt.Errorf("cannot reserve %q resource", name)
		}
	}
	return list, nil
}

// fitsCapacity is validateNodeAllocatable of pkg/kubelet/cm.
func fitsCapacity(reservation v1.ResourceList, machine *cadvisorapi.MachineInfo) error {
	capacity := capacityOf(machine)
	for name, amount := range reservation {
		left := capacity[name].DeepCopy()
		left.Sub(amount)
		if left.Sign() < 0 {
			has := capacity[name]
			return fmt.Errorf("invalid Node Allocatable configuration. Resource %q has a reservation of %v but capacity of %v. Expected capacity >= reservation.", name, amount.String(), has.String())
		}
	}
	return nil
}
