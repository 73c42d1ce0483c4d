/* SPDX-License-Identifier: MIT */
/*
 * Circular doubly linked list. An unlinked node points at itself, so that
 * list_empty(node) tells whether it is on a list.
 */
#ifndef ALLOC_BASE_LIST_H
#define ALLOC_BASE_LIST_H

#include "alloc/base/atomic.h"
#include "alloc/base/compiler.h"

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)                                                                       \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}

static inline void list_init(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_add(struct list_head *node, struct list_head *head)
{
	node->next = head->next;
	node->prev = head;
	head->next->prev = node;
	head->next = node;
}

static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
	list_add(node, head->prev);
}

static inline void list_del_init(struct list_head *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/*
 * Readers under RCU follow ->next only, by list_next_rcu(). An entry that was
 * taken out keeps its ->next, so whoever stands on it gets on; its memory is
 * used again after a grace period.
 */
static inline void list_add_tail_rcu(struct list_head *node, struct list_head *head)
{
	node->next = head;
	node->prev = head->prev;
	store_release(&head->prev->next, node); /* pairs with list_next_rcu() */
	head->prev = node;
}

static inline void list_del_rcu(struct list_head *node)
{
	node->next->prev = node->prev;
	/* Pairs with list_next_rcu(): another may have added what comes next. */
	store_release(&node->prev->next, node->next);
	node->prev = node;
}

static inline struct list_head *list_next_rcu(const struct list_head *node)
{
	return load_acquire(&node->next); /* pairs with list_add_tail_rcu() */
}

#define list_first_entry(head, type, member) container_of((head)->next, type, member)

#define list_for_each_entry(pos, head, member)                                                     \
	for (pos = container_of((head)->next, __typeof__(*pos), member); &pos->member != (head);   \
	     pos = container_of(pos->member.next, __typeof__(*pos), member))

/* @pos may be unlinked in the body. */
#define list_for_each_entry_safe(pos, tmp, head, member)                                           \
	for (pos = container_of((head)->next, __typeof__(*pos), member),                           \
	    tmp = container_of(pos->member.next, __typeof__(*pos), member);                        \
	     &pos->member != (head);                                                               \
	     pos = tmp, tmp = container_of(tmp->member.next, __typeof__(*tmp), member))

/*
 * List with a one-word head, for tables of many short lists. An unlinked node
 * has pprev NULL.
 */
struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

static inline void hlist_add_head(struct hlist_node *node, struct hlist_head *head)
{
	node->next = head->first;
	if (head->first)
		head->first->pprev = &node->next;
	head->first = node;
	node->pprev = &head->first;
}

/* The head lies elsewhere now. */
static inline void hlist_moved(struct hlist_head *head)
{
	if (head->first)
		head->first->pprev = &head->first;
}

static inline void hlist_del_init(struct hlist_node *node)
{
	if (!node->pprev)
		return;
	*node->pprev = node->next;
	if (node->next)
		node->next->pprev = node->pprev;
	node->next = NULL;
	node->pprev = NULL;
}

#endif
