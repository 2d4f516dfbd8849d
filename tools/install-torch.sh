#!/bin/sh
# Install PyTorch: what was asked for, else the build that this machine can use, and say in one line which.
# usage: install-torch.sh PYTHON [REQUIREMENT [INDEX]]
#        install-torch.sh PYTHON --installed        prints the requirement that the installed one meets, and no other
# pip's default build for Linux brings gigabytes of CUDA; without an NVIDIA driver nothing can use them.
set -eu
python=$1
requirement=${2:-}
index=${3:-}
cpu_index=${TORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}
root=${GLRAST_ROOT:-} # of the file system; tests have another
choose="choose otherwise with TORCH=REQUIREMENT or TORCH_INDEX=URL"

install() { "$python" -m pip install -q "$@"; }
say() { echo "PyTorch: $1; $choose"; }
has_driver() {
    [ -e "$root/proc/driver/nvidia/version" ] || [ -e "$root/usr/lib/wsl/lib/libcuda.so.1" ] ||
        nvidia-smi -L >/dev/null 2>&1 ||
        PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1'
}
installed() { "$python" -c 'from importlib.metadata import version; print("torch==" + version("torch"))' 2>/dev/null; }
reaches() { "$python" -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=10)' "$1/torch/" 2>/dev/null; }

if [ "$requirement" = --installed ]; then
    installed
elif [ -n "$index" ]; then # in place of pip's own index: beside it, the newer version would win, whatever its build
    install --index-url "$index" "${requirement:-torch}"
elif [ -n "$requirement" ]; then
    install "$requirement"
elif installed >/dev/null; then
    : # an earlier choice stays
elif has_driver; then
    say "there is an NVIDIA driver, so pip's default build, with CUDA"
    install torch
elif [ "$(uname -s)" != Linux ]; then # elsewhere the default is a CPU build
    install torch
elif reaches "$cpu_index"; then
    say "there is no NVIDIA driver, so the CPU build from $cpu_index"
    install --index-url "$cpu_index" torch
else
    say "there is no NVIDIA driver, but $cpu_index cannot be reached: pip's default build, which may bring CUDA"
    install torch
fi
