// Pods before the kubelet's own managers: the topology manager asks those of devices, CPUs and memory for hints, merges
// them by its policy, and lets each allocate (pkg/kubelet/cm/container_manager_linux.go has them in this order).
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	_ "unsafe" // for go:linkname

	cadvisorapi "github.com/google/cadvisor/info/v1"
	"google.golang.org/grpc"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"
	pluginapi "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
	"k8s.io/kubernetes/pkg/kubelet/cm/containermap"
	"k8s.io/kubernetes/pkg/kubelet/cm/devicemanager"
	"k8s.io/kubernetes/pkg/kubelet/cm/topologymanager"
	"k8s.io/kubernetes/pkg/kubelet/lifecycle"
)

type admission struct {
	question
	// Devices are the NUMA nodes of each device, by resource and id.
	Devices map[string]map[string][]int64 `json:"devices"`
	Steps   []step                        `json:"steps"`
}

// step is a pod that comes, or the UID of one that ends.
type step struct {
	Pod *v1.Pod   `json:"pod"`
	End types.UID `json:"end"`
}

type admissionAnswer struct {
	Name string `json:"name"`
	// Error is empty when the kubelet starts and each step could be done.
	Error    string    `json:"error"`
	Verdicts []verdict `json:"verdicts"`
}

// verdict is what is said of a pod that comes, and what its containers own then.
type verdict struct {
	Reason  string                 `json:"reason"`
	Message string                 `json:"message"`
	CPUs    map[string]string      `json:"cpus"`
	Memory  map[string][]heldBlock `json:"memory"`
	Devices map[string][]string    `json:"devices"`
}

type heldBlock struct {
	Kind  string `json:"kind"`
	Bytes uint64 `json:"bytes"`
	Nodes []int  `json:"numa_nodes"`
}

// podList are the pods that the managers take for active.
type podList struct {
	mutex sync.Mutex
	pods  []*v1.Pod
}

func (l *podList) all() []*v1.Pod {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return slices.Clone(l.pods)
}

func (l *podList) add(pod *v1.Pod) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.pods = append(l.pods, pod)
}

func (l *podList) remove(uid types.UID) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.pods = slices.DeleteFunc(l.pods, func(pod *v1.Pod) bool { return pod.UID == uid })
}

// statuses has none: no container ever runs here.
type statuses struct{}

func (statuses) GetPodStatus(types.UID) (v1.PodStatus, bool) { return v1.PodStatus{}, false }

// The exported constructor works in the kubelet's own folder.
//
//go:linkname newDeviceManager k8s.io/kubernetes/pkg/kubelet/cm/devicemanager.newManagerImpl
func newDeviceManager(logger klog.Logger, socketPath string, topology []cadvisorapi.Node, store topologymanager.Store) (*devicemanager.ManagerImpl, error)

func admit(asked admission) (given admissionAnswer) {
	given = admissionAnswer{Name: asked.Name, Verdicts: []verdict{}}
	defer func() {
		if panicked := recover(); panicked != nil {
			given.Error = fmt.Sprintf("panic: %v", panicked)
		}
	}()
	err := withManagers(asked.question, func(ctx context.Context, started *managers, folder string) error {
		devices, err := startDevices(ctx, asked, started, folder)
		if err != nil {
			return err
		}
		defer devices.Stop(klog.FromContext(ctx))
		logger := klog.FromContext(ctx)
		started.topology.AddHintProvider(logger, devices)
		started.topology.AddHintProvider(logger, started.cpus)
		started.topology.AddHintProvider(logger, started.memory)
		for _, next := range asked.Steps {
			if next.Pod == nil {
				started.pods.remove(next.End)
				continue
			}
			given.Verdicts = append(given.Verdicts, started.verdictOn(next.Pod, devices))
		}
		return nil
	})
	if err != nil {
		given.Error = err.Error()
	}
	return given
}

func (m *managers) verdictOn(pod *v1.Pod, devices *devicemanager.ManagerImpl) verdict {
	m.pods.add(pod)
	result := m.topology.Admit(&lifecycle.PodAdmitAttributes{Pod: pod})
	said := verdict{Reason: result.Reason, Message: result.Message,
		CPUs: map[string]string{}, Memory: map[string][]heldBlock{}, Devices: map[string][]string{}}
	if !result.Admit {
		m.pods.remove(pod.UID) // as a kubelet, which counts a pod that it refused as ended
		return said
	}
	uid := string(pod.UID)
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if owned, found := m.cpus.State().GetCPUSet(uid, container.Name); found {
			said.CPUs[container.Name] = owned.String()
		}
		for _, block := range m.memory.State().GetMemoryBlocks(uid, container.Name) {
			held := heldBlock{string(block.Type), block.Size, block.NUMAAffinity}
			said.Memory[container.Name] = append(said.Memory[container.Name], held)
		}
		for _, instances := range devices.GetDevices(uid, container.Name) {
			for id := range instances {
				said.Devices[container.Name] = append(said.Devices[container.Name], id)
			}
		}
		slices.Sort(said.Devices[container.Name])
	}
	return said
}

func startDevices(ctx context.Context, asked admission, started *managers, folder string) (*devicemanager.ManagerImpl, error) {
	logger := klog.FromContext(ctx)
	place := filepath.Join(folder, "device-plugins")
	if err := os.Mkdir(place, 0o700); err != nil {
		return nil, err
	}
	manager, err := newDeviceManager(logger, filepath.Join(place, "kubelet.sock"), asked.Machine.Topology, started.topology)
	if err != nil {
		return nil, err
	}
	if err := manager.Start(logger, started.pods.all, sourcesReady{}, containermap.NewContainerMap(), sets.New[string]()); err != nil {
		return nil, err
	}
	for resource, places := range asked.Devices {
		if err := manager.PluginConnected(ctx, resource, devicePlugin(resource)); err != nil {
			return nil, err
		}
		list := &pluginapi.ListAndWatchResponse{}
		for id, nodes := range places {
			device := &pluginapi.Device{ID: id, Health: pluginapi.Healthy}
			for _, node := range nodes {
				if device.Topology == nil {
					device.Topology = &pluginapi.TopologyInfo{}
				}
				device.Topology.Nodes = append(device.Topology.Nodes, &pluginapi.NUMANode{ID: node})
			}
			list.Devices = append(list.Devices, device)
		}
		manager.PluginListAndWatchReceiver(logger, resource, list)
	}
	return manager, nil
}

// devicePlugin is a plugin that prefers devices in the order of their ids: without a preference a kubelet takes any.
type devicePlugin string

func (p devicePlugin) API() pluginapi.DevicePluginClient { return p }
func (p devicePlugin) Resource() string                  { return string(p) }
func (p devicePlugin) SocketPath() string                { return "" }

func (devicePlugin) GetDevicePluginOptions(context.Context, *pluginapi.Empty, ...grpc.CallOption) (*pluginapi.DevicePluginOptions, error) {
	return &pluginapi.DevicePluginOptions{GetPreferredAllocationAvailable: true}, nil
}

func (devicePlugin) ListAndWatch(context.Context, *pluginapi.Empty, ...grpc.CallOption) (grpc.ServerStreamingClient[pluginapi.ListAndWatchResponse], error) {
	return nil, fmt.Errorf("the list is given to the manager itself")
}

func (devicePlugin) GetPreferredAllocation(_ context.Context, request *pluginapi.PreferredAllocationRequest, _ ...grpc.CallOption) (*pluginapi.PreferredAllocationResponse, error) {
	answer := &pluginapi.PreferredAllocationResponse{}
	for _, one := range request.ContainerRequests {
		chosen := slices.Clone(one.MustIncludeDeviceIDs)
		rest := slices.Sorted(slices.Values(one.AvailableDeviceIDs))
		for _, id := range rest {
			if len(chosen) < int(one.AllocationSize) && !slices.Contains(chosen, id) {
				chosen = append(chosen, id)
			}
		}
		answer.ContainerResponses = append(answer.ContainerResponses, &pluginapi.ContainerPreferredAllocationResponse{DeviceIDs: chosen})
	}
	return answer, nil
}

func (devicePlugin) Allocate(_ context.Context, request *pluginapi.AllocateRequest, _ ...grpc.CallOption) (*pluginapi.AllocateResponse, error) {
	answer := &pluginapi.AllocateResponse{}
	for range request.ContainerRequests {
		answer.ContainerResponses = append(answer.ContainerResponses, &pluginapi.ContainerAllocateResponse{})
	}
	return answer, nil
}

func (devicePlugin) PreStartContainer(context.Context, *pluginapi.PreStartContainerRequest, ...grpc.CallOption) (*pluginapi.PreStartContainerResponse, error) {
	return &pluginapi.PreStartContainerResponse{}, nil
}
