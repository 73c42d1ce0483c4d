/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked lists, for the items of a list_lru (<cgslab/list_lru.h>).
 *
 * Code from the kernel brings a list.h of its own, and uses that: the library only
 * needs struct list_head to be two pointers, next and prev, of a circular list in
 * which a node that is on none points at itself. Others take this one, or link and
 * look as they like.
 */
#ifndef CGSLAB_LIST_H
#define CGSLAB_LIST_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct list_head {
	struct list_head *next, *prev;
};

/* An empty list, or a node that is on none. */
static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

/* Behind @head: the first of its list. */
static inline void list_add(struct list_head *node, struct list_head *head)
{
	node->next = head->next;
	node->prev = head;
	head->next->prev = node;
	head->next = node;
}

/* The last. */
static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
	list_add(node, head->prev);
}

/* Takes it off its list. */
static inline void list_del_init(struct list_head *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	INIT_LIST_HEAD(node);
}

/* The struct of @type whose @member is at @node. */
#define list_entry(node, type, member)	     ((type *)((char *)(node)-offsetof(type, member)))

#define list_first_entry(head, type, member) list_entry((head)->next, type, member)

#ifdef __cplusplus
}
#endif

#endif
