# What an image has for GPUs, a finding a line: the kind, a space, the rest. Works in any POSIX shell; find, python, awk and
# nvidia-smi are used where they are there. Nothing is changed. $1: a folder to look in instead of /, without a slash at the end.
root="${1:-}"
echo "gedge-image-report 1"

for name in CUDA_VERSION NV_CUDA_CUDART_VERSION CUDNN_VERSION NV_CUDNN_VERSION TRT_VERSION TENSORRT_VERSION \
  NVIDIA_REQUIRE_CUDA GEDGE_EMULATED_GPU; do
  eval "value=\${$name:-}"
  if [ -n "$value" ]; then echo "env $name $value"; fi
done

libraries() { # of CUDA, cuDNN, TensorRT, the driver's user half; and packages of Python, which stand in the names of their folders
  if command -v find >/dev/null 2>&1; then
    find "$root/" \( -path "$root/proc" -o -path "$root/sys" -o -path "$root/dev" \) -prune -o \( \
      -name 'libcudart*.so*' -o -name 'libcudnn.so*' -o -name 'libnvinfer.so*' -o -name 'libcuda.so.*' \
      -o -name 'nvidia_cuda_runtime*.dist-info' -o -name 'nvidia_cudnn*.dist-info' -o -name 'tensorrt*.dist-info' \
      -o -name 'tensorflow*.dist-info' -o -name 'torch-*.dist-info' \) -print 2>/dev/null
    return
  fi
  echo "without find"
  for folder in "$root"/usr/local/cuda*/lib64 "$root"/usr/local/cuda*/targets/*/lib "$root"/usr/local/cuda*/compat \
    "$root"/usr/lib/x86_64-linux-gnu "$root"/usr/lib64 "$root"/usr/lib "$root"/lib64 "$root"/usr/local/lib "$root"/opt/*/lib; do
    for file in "$folder"/libcudart*.so* "$folder"/libcudnn.so* "$folder"/libnvinfer.so* "$folder"/libcuda.so.*; do
      if [ -e "$file" ]; then echo "$file"; fi
    done
  done
  for folder in "$root"/usr/lib/python3*/*-packages "$root"/usr/local/lib/python3*/*-packages "$root"/opt/*/lib/python3*/site-packages; do
    for file in "$folder"/nvidia_*.dist-info "$folder"/tensorrt*.dist-info "$folder"/tensorflow*.dist-info \
      "$folder"/torch-*.dist-info; do
      if [ -e "$file" ]; then echo "$file"; fi
    done
  done
}
libraries | while IFS= read -r line; do
  case "$line" in
    "without find") echo "$line" ;;
    *) echo "file ${line#"$root"}" ;;
  esac
done

# The frameworks are not imported: that takes long, and some do not start without a GPU. Their files say what they were built for.
for python in python3 python; do
  if command -v "$python" >/dev/null 2>&1; then
    "$python" -B -c '
import os, re, sys
sys.path = [p for p in sys.path if p]
try:
    from importlib.metadata import version
except ImportError:
    import pkg_resources
    def version(name):
        return pkg_resources.get_distribution(name).version
said = {
    "tensorflow": "tensorflow/python/platform/build_info.py",
    "tensorflow-gpu": "tensorflow/python/platform/build_info.py",
    "torch": "torch/version.py",
}
for name, inside in sorted(said.items()):
    try:
        print("python %s %s" % (name, version(name)))
    except Exception:
        continue
    for folder in sys.path:
        path = os.path.join(folder, inside)
        if not os.path.isfile(path):
            continue
        with open(path) as file:
            text = file.read()
        for kind in ("cuda", "cudnn"):
            pattern = r"""\b%s(?:_version(?:_number)?)?\b(?::[^=\n]*)?["\x27]?\s*[=:,]\s*["\x27]v?([0-9][0-9.]*)["\x27]""" % kind
            found = re.search(pattern, text)
            if found:
                print("built %s %s %s" % (name, kind, found.group(1)))
        break
' 2>/dev/null
    break
  fi
done

# The kernel tells its driver to every container of its host.
if [ -r "$root/proc/driver/nvidia/version" ]; then
  while IFS= read -r line; do
    case "$line" in NVRM*) echo "kernel $line" ;; esac
  done <"$root/proc/driver/nvidia/version"
fi
if command -v nvidia-smi >/dev/null 2>&1; then
  nvidia-smi --query-gpu=driver_version,compute_cap,name --format=csv,noheader 2>/dev/null | while IFS= read -r line; do
    echo "gpu $line"
  done
fi
echo "end"
