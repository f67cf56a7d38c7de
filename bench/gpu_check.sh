#!/usr/bin/env bash
# Everything that only a GPU can show, in one run of under ten minutes: tests with CuPy required, compute-sanitizer,
# benches. Needs CUDA, CuPy and this folder; what is missing is skipped with its reason, and the run goes on.
#
#     bench/gpu_check.sh [--data FOLDER] [--wheels FOLDER] [--out FOLDER] [--seconds N] [--only NAMES]
#
# --data     wiki100.txt.xz (or another .txt or .txt.xz) and eval/ with wordsim353.tsv, simlex999.txt, questions-words.txt
# --wheels   Python packages that are missing here, as wheels; array-api-compat is needed, if only in the copy that
#            scikit-learn or SciPy carries; pytest and hypothesis for the tests, gensim for its side of the comparison
# --out      log.txt, summary.txt, gpu.csv and the profiler's report go there; by default $OUT, or build/gpu_check
# --seconds  for the whole run, 570 by default; steps that would come later are left out
# --only     steps by name, with commas: equal,racecheck
set -uo pipefail
cd "$(dirname "$0")/.."
script=bench/gpu_check.sh

data="" wheels="" out="${OUT:-build/gpu_check}" seconds=570 only=""
while [ $# -gt 0 ]; do
    case "$1" in
        --data) data=$2 ;;
        --wheels) wheels=$2 ;;
        --out) out=$2 ;;
        --seconds) seconds=$2 ;;
        --only) only=$2 ;;
        -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$script"; exit 0 ;;
        *) echo "no such option: $1" >&2; sed -n '2,12s/^# \{0,1\}//p' "$script" >&2; exit 2 ;;
    esac
    shift 2 || exit 2
done
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
# Not under --out, from where everything may be carried away.
packages=$(mktemp -d) || exit 1
trap 'rm -rf "$packages"' EXIT
: >"$out/summary.txt"
exec > >(tee "$out/log.txt") 2>&1
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
python=${PYTHON:-python3}

# step NAME SECONDS COMMAND...: at most so long, and no longer than the run has left
step() {
    local name=$1 most=$2 left=$((seconds - SECONDS)) begun=$SECONDS status
    shift 2
    wanted "$name" || return 0
    if [ "$left" -lt 5 ]; then
        note "$name" "left out: the ${seconds} s are over"
        return
    fi
    printf '\n== %s\n' "$name"
    timeout --kill-after=5 $((most < left ? most : left)) "$@"
    status=$?
    case $status in
        0) note "$name" "done in $((SECONDS - begun)) s" ;;
        124 | 137) note "$name" "CUT after $((SECONDS - begun)) s" ;;
        *) note "$name" "FAILED with status $status after $((SECONDS - begun)) s" ;;
    esac
}
wanted() { case ",${only:-$1}," in *",$1,"*) ;; *) return 1 ;; esac }
note() { printf '%-12s %s\n' "$1" "$2" | tee -a "$out/summary.txt"; }
have() { command -v "$1" >/dev/null 2>&1; }

if [ -n "$wheels" ]; then
    timeout 90 "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$packages/site" \
        "$wheels"/*.whl || note wheels "FAILED with status $?"
    export PYTHONPATH="$PYTHONPATH:$packages/site"
fi
if ! timeout 30 "$python" -c 'import array_api_compat' 2>/dev/null; then
    for package in sklearn.externals scipy._external scipy._lib; do
        copy=$(timeout 30 "$python" -c "import $package.array_api_compat as copy; print(copy.__path__[0])" 2>/dev/null) || continue
        mkdir -p "$packages/copies" && ln -sfn "$copy" "$packages/copies/array_api_compat"
        export PYTHONPATH="$PYTHONPATH:$packages/copies"
        note compat "the copy of array-api-compat in $package"
        break
    done
fi
if have nvidia-smi; then step machine 20 nvidia-smi; else note machine "skipped: no nvidia-smi"; fi
step info 60 "$python" -m xw2v info
problem=$(timeout 120 "$python" -c '
import sys
try:
    from xw2v import get_backend
    get_backend("cupy")
except Exception as error:
    sys.exit(" ".join(str(error).split()))' 2>&1 | tail -1)
# Other versions of CuPy and NumPy than those of the developers may warn of each other: that is shown, and is no failure.
pytest=("$python" -m pytest -q -p no:cacheprovider --continue-on-collection-errors -W default::DeprecationWarning)
side_by_side=()
"$python" -c 'import xdist' 2>/dev/null && side_by_side=(-p no:benchmark -n 5)  # pytest-benchmark warns beside xdist
arguments=(--out "$out")
[ -n "$data" ] && arguments+=(--data "$data")

# on_gpu NAME SECONDS TOOL COMMAND...: a step that wants a GPU, and a tool unless that is "-"
on_gpu() {
    local name=$1 most=$2 tool=$3
    shift 3
    wanted "$name" || return 0
    if [ -n "$problem" ]; then
        note "$name" "skipped: $problem"
    elif [ "$tool" != - ] && ! have "$tool"; then
        note "$name" "skipped: no $tool"
    else
        step "$name" "$most" env XW2V_REQUIRE=cupy "$@"
    fi
}
# What takes the host's time rather than the GPU's runs side by side; what each printed comes when all are done.
begun=() processes=()
beside() {
    local name=$1
    wanted "$name" || return 0
    "$name" --basetemp "$packages/$name" >"$packages/$name.txt" 2>&1 &
    begun+=("$name") processes+=($!)
}
all_done() {
    [ ${#begun[@]} -gt 0 ] || return 0
    wait "${processes[@]}"
    for name in "${begun[@]}"; do cat "$packages/$name.txt"; done
}
# Each is given what else pytest is to be told.
tested() { on_gpu "$1" 150 - "${pytest[@]}" "${side_by_side[@]}" "${@:2}"; }
equal() { tested equal "$@" tests/test_cuda_gpu.py tests/test_kernels.py; }
matrix() { tested matrix "$@" -m "not slow" -k cupy; }
sanitized() {
    on_gpu "$1" 90 compute-sanitizer env XW2V_NO_POOL=1 compute-sanitizer --tool "$1" --error-exitcode 9 \
        "${pytest[@]}" "${@:3}" tests/test_cuda_gpu.py -k "($2) and (7 or 100)"
}
racecheck() { sanitized racecheck "one_block or one_cluster" "$@"; }
synccheck() { sanitized synccheck "one_block or one_cluster" "$@"; }
initcheck() { sanitized initcheck "one_block or one_cluster" "$@"; }
memcheck() { sanitized memcheck "one_block or one_cluster or many_blocks" "$@"; }
# The benches say themselves why they do not run.
bench() { step "$1" "$2" "$python" -m bench.bench_gpu "${@:3}" "${arguments[@]}"; }

# What matters most comes first: the end may be left out.
for check in equal matrix racecheck memcheck initcheck synccheck; do beside $check; done
all_done
# In each process TF32 comes last: cuBLAS keeps to it.
bench engines 120 fused softmax
bench array 60 array
bench quality 60 quality
bench gensim 60 gensim
bench job 60 job tf32
bench long 60 long
bench losses 120 losses
bench ceilings 90 ceilings questions
# Ranks that share one GPU; tests/test_gpu_ranks.py says how NCCL can be had to take them. A wheel of MPI may be among --wheels.
for wheel in "${wheels:-.}"/mpich-*.whl; do  # of whose libraries pip, told a --target, leaves out
    [ -e "$wheel" ] || continue
    "$python" -m zipfile -e "$wheel" "$packages/mpich" && mpi=$(echo "$packages"/mpich/*.data/data) && chmod +x "$mpi"/bin/*
    export PATH="$PATH:$mpi/bin" LD_LIBRARY_PATH="$mpi/lib:${LD_LIBRARY_PATH:-}"
done
as_root=(env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1)
ranks() { on_gpu ranks 200 mpiexec "${as_root[@]}" "${pytest[@]}" "$@" tests/test_gpu_ranks.py; }
ranks
ranks_bench() {
    on_gpu "ranks-$1" "$2" mpiexec "${as_root[@]}" NCCL_SOCKET_IFNAME=lo "$python" -m bench.bench_distributed quality \
        --backend cupy --share-gpu "$1" "${@:3}" "${arguments[@]}"
}
ranks_bench mpi 150 --seeds 1 2
ranks_bench nccl 90 --ranks 2 --seeds 1 2
on_gpu ncu 60 ncu ncu --clock-control none --kernel-name train_groups --launch-skip 1 --launch-count 1 --set full \
    --log-file "$out/ncu.txt" "$python" -m bench.bench_gpu fused --quick --words 2000000 "${arguments[@]}"
tested tests -m "not slow"
printf '\n== summary, %s s\n' "$SECONDS"
cat "$out/summary.txt"
