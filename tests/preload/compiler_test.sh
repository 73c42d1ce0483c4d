#!/bin/bash
# compiler_test.sh gcc|clang: make builds this project's own sources and two large generated ones;
# the objects must be the same.
. "$(dirname "$0")/lib.sh"
need make make jq jq sha256sum coreutils
case ${1-} in
gcc)
	cc=gcc cxx=g++ lto=-flto=2
	compile_alone=("$(g++ -print-prog-name=cc1plus)" -quiet -fpreprocessed)
	;;
clang)
	cc=clang cxx=clang++ lto=-flto=thin
	compile_alone=(clang++ -S)
	;;
*) fail "usage: compiler_test.sh gcc|clang" ;;
esac
need "$cc" "$cc" "$cxx" "${cxx/clang++/clang}"

# The sources lie where Bazel's link to this script leads. Both compilations see one copy of them.
project=$work/project
mkdir "$project"
(cd "$(dirname "$(readlink -f "$0")")/../.." && find accounting alloc shrinker -name '*.[ch]' |
	tar -cf - -T -) | tar -xf - -C "$project" || fail "no sources"

write_c() {
	local i
	echo '#include <string.h>'
	for i in $(seq 200); do
		cat <<-END
			struct s$i { int a[$i]; struct s$i *next; char name[$((i % 32 + 1))]; };
			static int f$i(struct s$i *s, int n) {
				int sum = 0;
				for (; s; s = s->next)
					for (int i = 0; i < n; i++)
						switch ((s->a[i % $i] + i) % 7) {
						case 0: sum += i * $i; break;
						case 1: sum ^= s->name[i % sizeof(s->name)]; break;
						case 2: sum -= (int)strlen(s->name); break;
						case 3: memset(s->a, i, sizeof(s->a)); break;
						default: sum += s->a[(i * 31) % $i];
						}
				return sum;
			}
			int g$i(void *p, int n) { return f$i(p, n) + f$i(p, n + 1); }
		END
	done
}

write_cxx() {
	local i
	cat <<-'END'
		#include <algorithm>
		#include <functional>
		#include <map>
		#include <memory>
		#include <string>
		#include <unordered_map>
		#include <variant>
		#include <vector>
		template <int N> struct tag { int v[N + 1]; bool operator<(const tag &o) const { return v[0] < o.v[0]; } };
		template <int N> int use(const std::string &s) {
			std::map<tag<N>, std::vector<std::string>> m;
			std::unordered_map<std::string, std::shared_ptr<tag<N>>> u;
			std::variant<int, std::string, tag<N>> v = s;
			std::vector<std::function<int(int)>> f;
			for (int i = 0; i < N; i++) {
				m[tag<N>{{i}}].push_back(s);
				u[s + std::to_string(i)] = std::make_shared<tag<N>>();
				f.push_back([i, s](int x) { return x + i + (int)s.size(); });
			}
			std::sort(f.begin(), f.end(), [](auto &a, auto &b) { return a(1) < b(1); });
			return (int)(m.size() + u.size() + v.index()) + (f.empty() ? 0 : f[0](N));
		}
	END
	for i in $(seq 5); do echo "template int use<$i>(const std::string &);"; done
}

write_makefile() {
	local source object includes objects=()
	includes=$(cd "$project" && find -- * -type d -name include -printf " -I$project/%p")
	for source in $(cd "$project" && find -- * -name '*.c' | sort); do
		object=${source//\//_}
		object=${object%.c}.o
		objects+=("$object")
		printf '%s: %s\n\t$(CC) $(CFLAGS) -I%s%s -c $< -o $@\n' \
			"$object" "$project/$source" "$project" "$includes"
	done
	cat <<-END
		CC = $cc
		CFLAGS = -std=gnu11 -D_GNU_SOURCE -O1 -g -w
		generated.o: generated.c; \$(CC) \$(CFLAGS) -O2 -c \$< -o \$@
		cxx.o: cxx.cc; $cxx -std=c++17 -O2 -g -c \$< -o \$@
		lto.so: generated.c; \$(CC) -O2 $lto -frandom-seed=1 -fPIC -shared \$< -o \$@
		all: cxx.o generated.o lto.so ${objects[*]}
	END
}

scenario() {
	write_c > generated.c
	write_cxx > cxx.cc
	write_makefile > Makefile
	run make -s -j2 all
	sha256sum -- *.o lto.so
	run "$cc" -c nowhere.c 2>&1 || echo "status $?"
	# The largest of the processes, alone, for its report.
	"$cxx" -std=c++17 -E cxx.cc -o cxx.ii
	run --report=json --output=report.json -- "${compile_alone[@]}" -std=c++17 -O0 cxx.ii -o cxx.s
	sha256sum cxx.s
}

compare scenario
check_report report.json
