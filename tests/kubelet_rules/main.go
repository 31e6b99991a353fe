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
	"time"

	cadvisorapi "github.com/google/cadvisor/info/v1"
	v1 "k8s.io/api/core/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"
	_ "k8s.io/kubernetes/pkg/features"
	kubeletscheme "k8s.io/kubernetes/pkg/kubelet/apis/config/scheme"
	"k8s.io/kubernetes/pkg/kubelet/apis/config/validation"
	"k8s.io/kubernetes/pkg/kubelet/cm/containermap"
	"k8s.io/kubernetes/pkg/kubelet/cm/cpumanager"
	"k8s.io/kubernetes/pkg/kubelet/cm/memorymanager"
	"k8s.io/kubernetes/pkg/kubelet/cm/topologymanager"
	"k8s.io/kubernetes/pkg/kubelet/kubeletconfig/util/codec"
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
	if len(os.Args) > 1 && os.Args[1] == "names" {
		printNames()
		return
	}
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

// A kubelet has these gates too (cmd/kubelet/app/server.go, init).
func init() {
	if err := logsapi.AddFeatureGates(utilfeature.DefaultMutableFeatureGate); err != nil {
		panic(err)
	}
}

// resetGates puts the gates of this process back: the managers ask those, not a copy.
func resetGates() {
	for name := range utilfeature.DefaultMutableFeatureGate.GetAll() {
		if err := utilfeature.DefaultMutableFeatureGate.ResetFeatureValueToDefault(name); err != nil {
			panic(err)
		}
	}
}

type discard struct{}

func (discard) Write(text []byte) (int, error) { return len(text), nil }

func judge(asked question) (allocatable string, err error) {
	defer func() { // unknown feature gates make a kubelet panic when it fills in defaults
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
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
	defer resetGates()
	gates := utilfeature.DefaultMutableFeatureGate
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
	// A kubelet looks at this last, when it starts its container manager.
	if err := fitsCapacity(reservation, &asked.Machine); err != nil {
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
