/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "alloc/base/list.h"

struct item {
	char name;
	struct list_head list;
	struct hlist_node node;
};

static struct list_head head = LIST_HEAD_INIT(head);
static struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};

static const char *names(struct list_head *of)
{
	static char text[16];
	struct item *item;
	size_t n = 0;

	list_for_each_entry (item, of, list)
		text[n++] = item->name;
	text[n] = '\0';
	return text;
}

static const char *hnames(const struct hlist_head *of)
{
	static char text[16];
	size_t n = 0;

	for (struct hlist_node *node = of->first; node; node = node->next)
		text[n++] = container_of(node, struct item, node)->name;
	text[n] = '\0';
	return text;
}

Test(list, add_and_delete)
{
	cr_expect(list_empty(&head));
	list_add(&b.list, &head);
	list_add(&a.list, &head);
	list_add_tail(&c.list, &head);
	cr_expect_str_eq(names(&head), "abc");
	cr_expect_eq(list_first_entry(&head, struct item, list), &a);
	list_del_init(&b.list);
	cr_expect_str_eq(names(&head), "ac");
	cr_expect(list_empty(&b.list), "it points at itself");
	list_del_init(&b.list);
	cr_expect_str_eq(names(&head), "ac");
	list_del_init(&a.list);
	list_del_init(&c.list);
	cr_expect(list_empty(&head));
}

Test(list, deleting_while_walking)
{
	struct item *item, *tmp;

	list_add_tail(&a.list, &head);
	list_add_tail(&b.list, &head);
	list_add_tail(&c.list, &head);
	list_for_each_entry_safe (item, tmp, &head, list)
		if (item != &b)
			list_del_init(&item->list);
	cr_expect_str_eq(names(&head), "b");
}

Test(list, one_word_heads)
{
	struct hlist_head hhead = {NULL};

	hlist_add_head(&a.node, &hhead);
	hlist_add_head(&b.node, &hhead);
	hlist_add_head(&c.node, &hhead);
	cr_expect_str_eq(hnames(&hhead), "cba");
	hlist_del_init(&b.node);
	cr_expect_str_eq(hnames(&hhead), "ca");
	cr_expect_null(b.node.pprev);
	hlist_del_init(&b.node);
	hlist_del_init(&c.node);
	cr_expect_str_eq(hnames(&hhead), "a");
	hlist_del_init(&a.node);
	cr_expect_null(hhead.first);
}
