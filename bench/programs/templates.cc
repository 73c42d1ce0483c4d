// SPDX-License-Identifier: MIT
// A large translation unit for a compiler to chew on: VARIANTS types, each of which pulls its own
// instances of containers, algorithms and closures out of the standard headers.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#ifndef VARIANTS
#define VARIANTS 16
#endif

namespace
{

template <int N> struct record {
	std::string name;
	int values[N + 1] = {};

	bool operator<(const record &other) const
	{
		return std::tie(name, values[0]) < std::tie(other.name, other.values[0]);
	}
};

template <int N> struct node;
template <int N> using owner = std::unique_ptr<node<N>>;
template <int N> using content = std::variant<record<N>, std::vector<record<N>>, owner<N>>;

template <int N> struct node {
	content<N> held;
	std::map<std::string, std::vector<record<N>>> index;
	std::set<record<N>> sorted;
};

template <int N> struct measure {
	int operator()(const record<N> &one) const
	{
		return static_cast<int>(one.name.size()) + one.values[N];
	}

	int operator()(const std::vector<record<N>> &many) const
	{
		return std::accumulate(many.begin(), many.end(), 0,
				       [this](int sum, const auto &one) { return sum + (*this)(one); });
	}

	int operator()(const owner<N> &below) const
	{
		return below ? std::visit(*this, below->held) : N;
	}
};

template <int N> int build(int seed)
{
	std::vector<record<N>> all(static_cast<size_t>(seed % 7 + N));
	std::unordered_map<std::string, std::function<int(const record<N> &)>> table;
	node<N> root;

	for (auto &one : all)
		one.name = std::to_string(seed++ % (N + 1));
	std::sort(all.begin(), all.end());
	std::stable_sort(all.begin(), all.end(), [](const auto &a, const auto &b) {
		return a.values[N] > b.values[N];
	});
	for (auto &one : all) {
		root.index[one.name].push_back(one);
		root.sorted.insert(one);
		table.emplace(one.name, [seed](const record<N> &r) { return r.values[0] + seed; });
	}
	root.held = std::make_unique<node<N>>();
	std::get<owner<N>>(root.held)->held = std::move(all);
	for (const auto &[name, function] : table)
		seed += function(*root.sorted.begin()) + static_cast<int>(name.size());
	return std::visit(measure<N>(), root.held) + seed;
}

template <int... Ns> int build_all(std::integer_sequence<int, Ns...>, int seed)
{
	return (build<Ns>(seed) + ...);
}

} // namespace

int build_everything(int seed)
{
	return build_all(std::make_integer_sequence<int, VARIANTS>(), seed);
}
