// The kubelet's own code as judge of configurations: for each machine and KubeletConfiguration on standard input, does a
// kubelet of this version validate it, and do its topology, CPU and memory managers start on such a machine?
//
// The steps are those of cmd/kubelet/app/server.go (run) and pkg/kubelet/cm/container_manager_linux.go
// (NewContainerManager), with the machine that cAdvisor would find given as data.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	cadvisorapi "github.com/google/cadvisor/info/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/klog/v2"
	_ "k8s.io/kubernetes/pkg/features"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	kubeletscheme "k8s.io/kubernetes/pkg/kubelet/apis/config/scheme"
	"k8s.io/kubernetes/pkg/kubelet/apis/config/validation"
	"k8s.io/kubernetes/pkg/kubelet/cm/containermap"
	"k8s.io/kubernetes/pkg/kubelet/cm/cpumanager"
	"k8s.io/kubernetes/pkg/kubelet/cm/memorymanager"
	"k8s.io/kubernetes/pkg/kubelet/cm/topologymanager"
	"k8s.io/kubernetes/pkg/kubelet/eviction"
	evictionapi "k8s.io/kubernetes/pkg/kubelet/eviction/api"
	"k8s.io/kubernetes/pkg/kubelet/kubeletconfig/util/codec"
	"k8s.io/utils/cpuset"
)

type question struct {
	Name          string                  `json:"name"`
	Machine       cadvisorapi.MachineInfo `json:"machine"`
	Configuration json.RawMessage         `json:"configuration"`
}

type answer struct {
	Name string `json:"name"`
	// Error is empty when the kubelet would start.
	Error string `json:"error"`
	// Allocatable are the CPUs that pods may own, as a list.
	Allocatable string `json:"allocatable"`
}

type sourcesReady struct{}

func (sourcesReady) AddSource(string) {}
func (sourcesReady) AllReady() bool   { return true }

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	klog.SetLogger(klog.NewKlogr().V(10))
	klog.LogToStderr(false)
	klog.SetOutput(discard{})
	answers := []answer{}
	for _, asked := range questions {
		allocatable, err := judge(asked)
		given := answer{Name: asked.Name, Allocatable: allocatable}
		if err != nil {
			given.Error = err.Error()
		}
		answers = append(answers, given)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		os.Exit(1)
	}
}

type discard struct{}

func (discard) Write(text []byte) (int, error) { return len(text), nil }

func judge(asked question) (string, error) {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	logger := klog.FromContext(ctx)
	_, codecs, err := kubeletscheme.NewSchemeAndCodecs()
	if err != nil {
		return "", err
	}
	config, err := codec.DecodeKubeletConfiguration(ctx, codecs, asked.Configuration)
	if err != nil {
		return "", err
	}
	gates := utilfeature.DefaultMutableFeatureGate.DeepCopy()
	if err := gates.SetFromMap(config.FeatureGates); err != nil {
		return "", err
	}
	if err := validation.ValidateKubeletConfiguration(config, gates); err != nil {
		return "", err
	}
	reserved, err := reservedCPUs(config, &asked.Machine)
	if err != nil {
		return "", err
	}
	reservation, err := nodeReservation(config, &asked.Machine)
	if err != nil {
		return "", err
	}
	topology, err := topologymanager.NewManager(
		asked.Machine.Topology, config.TopologyManagerPolicy, config.TopologyManagerScope, config.TopologyManagerPolicyOptions)
	if err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp("", "kubelet-rules-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	cpus, err := cpumanager.NewManager(logger, config.CPUManagerPolicy, config.CPUManagerPolicyOptions, time.Hour,
		&asked.Machine, reserved, reservation, folder, topology)
	if err != nil {
		return "", err
	}
	none := func() []*v1.Pod { return nil }
	if err := cpus.Start(ctx, none, sourcesReady{}, nil, nil, containermap.NewContainerMap()); err != nil {
		return "", err
	}
	memory, err := memorymanager.NewManager(
		logger, config.MemoryManagerPolicy, &asked.Machine, reservation, config.ReservedMemory, folder, topology)
	if err != nil {
		return "", err
	}
	if err := memory.Start(ctx, none, sourcesReady{}, nil, nil, containermap.NewContainerMap()); err != nil {
		return "", err
	}
	return cpus.GetAllocatableCPUs().String(), nil
}

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

// nodeReservation is GetNodeAllocatableReservation of pkg/kubelet/cm for CPU and memory.
func nodeReservation(config *kubeletconfig.KubeletConfiguration, machine *cadvisorapi.MachineInfo) (v1.ResourceList, error) {
	if config.EvictionHard == nil { // as the kubelet's server does
		config.EvictionHard = eviction.DefaultEvictionHard
	}
	thresholds, err := eviction.ParseThresholdConfig([]string{}, config.EvictionHard, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	capacity := resource.NewQuantity(int64(machine.MemoryCapacity), resource.BinarySI)
	result := v1.ResourceList{}
	for _, name := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
		sum := resource.NewQuantity(0, resource.DecimalSI)
		for _, part := range []map[string]string{config.SystemReserved, config.KubeReserved} {
			if text, ok := part[string(name)]; ok {
				amount, err := resource.ParseQuantity(text)
				if err != nil {
					return nil, err
				}
				sum.Add(amount)
			}
		}
		for _, threshold := range thresholds {
			if name == v1.ResourceMemory && threshold.Signal == evictionapi.SignalMemoryAvailable {
				sum.Add(*evictionapi.GetThresholdQuantity(threshold.Value, capacity))
			}
		}
		if !sum.IsZero() {
			result[name] = *sum
		}
	}
	return result, nil
}
