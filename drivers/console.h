/*
 * The devices behind the console, early and late.
 */
#ifndef DRIVERS_CONSOLE_H
#define DRIVERS_CONSOLE_H

/* First lines of kmain: the first serial port (polled) and VGA text as log sinks. */
void serial_early_init(void);
void vga_early_init(void);

#endif
